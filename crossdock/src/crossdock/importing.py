"""Write crossdock.yaml from the definitions of another product."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from crossdock.errors import CannotStart
from mft_common.endpoints.names import printable
from mqmft_svc.operations.managed.paths import steps_of
from mqmft_svc.schemas.definitions import MAX_FILE, Definitions, DefinitionUnreadable, read_definitions

_WIDTH: Final = 120
_HEAD: Final = """\
# Made by `crossdock import ibm-mft`. The definitions do not say where the files of an agent are:
# let each `root` name the folder or endpoint that holds them. They do not name the coordination queue manager
# either: add `coordination_qmgr`, without which the protocol answers 503, and the `accounts` that may use it.
"""
_ABSOLUTE: Final = """\
# {agent}: {path} is an absolute path, which a folder agent has only below its root; give one that holds it
# (`--root {agent}=file:/FOLDER`, with /FOLDER in `allowed_folders`), or shorten the paths.
"""
# Of a Unix system or of Windows.
_IS_ABSOLUTE: Final = re.compile(r"/|[A-Za-z]:[/\\]")


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
    return _HEAD + _absolute_paths(found, section["agents"]) + text, list(dict.fromkeys(found.notes))


def _absolute_paths(found: Definitions, agents: Mapping[str, Mapping[str, str]]) -> str:
    """Return a comment for each folder agent that has no file of an absolute path which a definition names (217)."""
    outside: dict[str, str] = {}
    for agent, path in _paths(found):
        scheme, _, root = agents.get(agent, {"root": ""})["root"].partition(":")
        if scheme != "file" or not _IS_ABSOLUTE.match(path):
            continue
        steps = steps_of(root) if root.startswith("/") else None
        if steps is None or steps_of(path)[: len(steps)] != steps:
            outside.setdefault(agent, path)
    shown = ((agent, printable(path)) for agent, path in outside.items())
    return "".join(_ABSOLUTE.format(agent=agent, path=path) for agent, path in shown)


def _paths(found: Definitions) -> Iterator[tuple[str, str]]:
    """Yield the names of files that the definitions have, each with its agent."""
    for one in found.monitors:
        if one["type"] == "directory":
            yield one["agentName"], one["resource"]["name"]
    for body in (*found.transfers, *(one["transferDefinition"] for one in found.monitors)):
        for item in body["transferSet"]["item"]:
            for side in ("source", "destination"):
                if item[side].get("type", "file") in ("file", "directory"):
                    yield body[f"{side}Agent"]["name"], item[side]["name"]


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
