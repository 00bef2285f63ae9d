"""Say how long files of a folder live, and how many bytes it and all below it may hold."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True)
class Retention:
    """When a file expires: so many milliseconds after it was put, and after it was first read; 0 for never (S29)."""

    after_put: int = 0
    after_get: int = 0


FOR_EVER: Final = Retention()


@dataclass(frozen=True)
class Limits:
    """What the configuration sets: by path of a folder, but `file`, the most bytes of any file, for all alike."""

    retention: Mapping[str, Retention] = field(default_factory=dict)
    quotas: Mapping[str, int] = field(default_factory=dict)
    file: int | None = None

    def retention_of(self, folder: str) -> Retention:
        """Return the retention of a folder: its own, or that of the nearest above it that has one."""
        return next((self.retention[path] for path in _upwards(folder) if path in self.retention), FOR_EVER)

    def quotas_over(self, folder: str) -> dict[str, int]:
        """Return all quotas that a file in this folder counts for, in one order for everybody."""
        return {path: self.quotas[path] for path in sorted(_upwards(folder)) if path in self.quotas}


NO_LIMITS: Final = Limits()


def _upwards(folder: str) -> list[str]:
    pieces = folder.split("/")
    return ["/".join(pieces[:count]) for count in range(len(pieces), 1, -1)]
