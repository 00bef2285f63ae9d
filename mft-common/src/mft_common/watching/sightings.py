"""Hold what one listing of a folder found."""

from dataclasses import dataclass, field
from typing import Final

from mft_common.watching.contract import Found
from mft_common.watching.memory import digest

# The name under which a watch remembers whether any file matched, and its two identities.
VACANCY: Final = digest("")
VACANT: Final = digest("vacant")
OCCUPIED: Final = digest("occupied")
NO_FILE: Final = Found("", "", None, None)


@dataclass(slots=True)
class Sighting:
    """A file that is not handled yet: its identity, when it was first seen like that, and in how many scans."""

    identity: bytes
    since: float
    looks: int


@dataclass
class Sightings:
    """The files that one listing found; `occupied` are the positions of the watches of which any file matched."""

    sightings: dict[bytes, Sighting] = field(default_factory=dict)
    present: set[bytes] = field(default_factory=set)
    ready: list[list[tuple[bytes, bytes, Found]]] = field(default_factory=list)
    occupied: set[int] = field(default_factory=set)

    def sort(self) -> None:
        """Bring the files that are ready into the order in which they were first seen.

        Files that a watch is to take again, as often as it likes, stand behind those that it never took.
        """
        for files in self.ready:
            files.sort(key=lambda one: self.sightings[one[0]].since)
