"""Name the places of files, so that the transfer that wrote one is found by the monitor that sees it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from mft_common.endpoints.targets import REFERENCE
from mft_common.watching import place_digest
from mqmft_svc.domain.agents import Agent

MANAGED: Final = "ibm-mq-mft"


def place_of(protocol: str, agent: str, path: str) -> bytes:
    """Return the digest of the place of a file that a transfer of `protocol` wrote to `agent`.

    A managed transfer names a path below the root of its agent; other protocols name a folder of the hub, of its store
    or of an endpoint, with or without a slash before it.
    """
    return place_digest(agent if protocol == MANAGED else "", path)


def places_of(agent: Agent, path: str, data: Path) -> Iterator[bytes]:
    """Yield the places under which a transfer may have written a file of an agent; `data` is the data folder."""
    yield place_digest(agent.name, path)
    folder = agent.target.folder
    yield place_digest("", f"{folder}/{path}")
    if agent.root.startswith(REFERENCE):
        yield place_digest("", f"{agent.root.removeprefix(REFERENCE)}/{path}")
    if agent.target.scheme == "file":
        # An absolute path of a monitor lies within the root.
        yield place_digest("", path if path.startswith("/") else f"{data / folder}/{path}")
