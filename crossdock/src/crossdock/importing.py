"""Write crossdock.yaml from the definitions of another product."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from crossdock.errors import CannotStart
from mqmft_svc.schemas.definitions import MAX_FILE, Definitions, DefinitionUnreadable, read_definitions

_WIDTH: Final = 120
_HEAD: Final = """\
# Made by `crossdock import ibm-mft`. The definitions do not say where the files of an agent are:
# let each `root` name the folder or endpoint that holds them.
"""


def ibm_mft(files: Iterable[Path], roots: Mapping[str, str]) -> tuple[str, list[str]]:
    """Return crossdock.yaml for definitions of IBM MQ MFT, and a line for each part that is not carried over.

    `roots` maps agents to the roots that they get. CannotStart where a file cannot be read.
    """
    found = Definitions()
    for file in files:
        try:
            with file.open("rb") as opened:
                read_definitions(opened.read(MAX_FILE + 1), str(file), found)
        except DefinitionUnreadable as error:
            raise CannotStart(f"{file}: {error}") from error
    unknown = sorted(roots.keys() - found.agents.keys())
    if unknown:
        raise CannotStart(f"no definition names the agent {', '.join(unknown)}")
    found.finish()
    section: dict[str, Any] = {"agents": _agents(found.agents, roots)}
    if found.transfers:
        section["transfers"] = found.transfers
    if found.monitors:
        section["monitors"] = found.monitors
    text = yaml.safe_dump({"ibm_mq_mft": section}, sort_keys=False, allow_unicode=True, width=_WIDTH)
    return _HEAD + text, list(dict.fromkeys(found.notes))


def _agents(qmgrs: Mapping[str, str], roots: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return the agents of a configuration by their queue managers; no two of them share a folder that is made up."""
    found: dict[str, dict[str, str]] = {}
    taken: set[str] = set()
    for name, qmgr in qmgrs.items():
        # A name may hold slashes and dots; as a folder it is one step below `agents`.
        folder = plain = name.replace("/", "_").replace(".", "_")
        number = 1
        while folder in taken:
            number += 1
            folder = f"{plain}-{number}"
        taken.add(folder)
        found[name] = {"qmgr": qmgr, "root": roots.get(name, f"file:agents/{folder}")}
    return found
