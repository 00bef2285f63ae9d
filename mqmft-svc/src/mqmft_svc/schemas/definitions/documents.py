"""Read one file of definitions: a template, a request, a list of schedules or a monitor."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from xml.etree.ElementTree import Element

from marshmallow import ValidationError, validate

from mft_common import xml
from mft_common.clock import now_ms
from mft_common.errors import MftError
from mft_common.schedules import time_zone
from mqmft_svc.domain.schedules import plan
from mqmft_svc.errors import BodyInvalid
from mqmft_svc.schemas.config import AGENT_NAME, QMGR_NAME, RESERVED
from mqmft_svc.schemas.configured_monitors import read_monitors
from mqmft_svc.schemas.configured_transfers import read_transfers
from mqmft_svc.schemas.definitions.monitors import read_monitor
from mqmft_svc.schemas.definitions.nodes import Node, local, one_line
from mqmft_svc.schemas.definitions.transfers import read_transfer
from mqmft_svc.schemas.submissions import submission

MAX_FILE: Final = 16 << 20
_MAX_ELEMENTS: Final = 200_000
_UTC: Final = time_zone("UTC")
_NO_QMGR: Final = "UNKNOWN"
_SIDES: Final = ("sourceAgent", "destinationAgent")
# The characters of the reasons for which a definition is left out.
_REASONS: Final = 400
# Roots that hold no definition of their own, and why they cannot be carried over.
_NOT_CARRIED: Final[Mapping[str, str]] = {
    "transferSpecifications": "it lists files for a request and names no agents",
    "monitorList": "it lists a monitor without its task; export the monitor itself",
}


class DefinitionUnreadable(MftError):  # noqa: N818 -- as MessageUnreadable
    """The file holds no definition that can be read; the text says why."""


@dataclass
class Definitions:
    """The entries that files of definitions become, and in words what is not carried over.

    `agents` maps names to queue managers. A transfer is the body of a request with its `name`. `now` (ms) is the time
    from which a schedule has to be ahead; its zone counts as UTC.
    """

    agents: dict[str, str] = field(default_factory=dict)
    transfers: list[dict[str, Any]] = field(default_factory=list)
    monitors: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    now: int = field(default_factory=now_ms, compare=False)
    # Where each transfer and each monitor was read.
    transfer_paths: list[str] = field(default_factory=list, compare=False)
    monitor_paths: list[str] = field(default_factory=list, compare=False)

    def add_agents(self, node: Node, definition: Mapping[str, Any]) -> None:
        """Add the agents of a transfer."""
        for side in _SIDES:
            self.add_agent(node, definition[side]["name"], definition[side]["qmgrName"])

    def add_agent(self, node: Node, name: str, qmgr: str) -> None:
        """Add an agent; `qmgr` is "" where its queue manager is not told."""
        known = self.agents.get(name, "")
        if known and qmgr and qmgr != known:
            node.note(f"agent {one_line(name)} is of {one_line(qmgr)} here and of {one_line(known)} elsewhere")
        elif not _fits(AGENT_NAME, name) or name in RESERVED:
            node.note(f"the hub can have no agent of the name {one_line(name)!r}")
        else:
            if qmgr and not _fits(QMGR_NAME, qmgr):
                node.note(f"{one_line(qmgr)!r} is no name of a queue manager")
                qmgr = ""
            self.agents[name] = known or qmgr

    def finish(self) -> None:
        """Name the queue managers that no definition tells, and leave out what the hub would refuse.

        The hub refuses a configuration as a whole. Both are noted.
        """
        self._name_queue_managers()
        self.transfers[:] = self._accepted(self.transfer_paths, self.transfers, read_transfers)
        self.monitors[:] = self._accepted(self.monitor_paths, self.monitors, read_monitors)

    def _accepted(
        self, paths: Sequence[str], entries: Sequence[dict[str, Any]], read: Callable[..., object]
    ) -> list[dict[str, Any]]:
        agents = {name: {"qmgr": qmgr} for name, qmgr in self.agents.items()}
        kept = []
        for path, entry in zip(paths, entries, strict=True):
            problems: list[str] = []
            read([entry], agents, problems, "")
            if problems:
                reasons = "; ".join(problem.removeprefix("[0].") for problem in problems)
                self.notes.append(f"{path}: is not carried over: the hub would refuse {one_line(reasons, _REASONS)}")
            else:
                kept.append(entry)
        return kept

    def _name_queue_managers(self) -> None:
        """Give a name to the queue manager of each agent that no definition tells one of, and note it."""
        for name, qmgr in self.agents.items():
            if not qmgr:
                self.agents[name] = _NO_QMGR
                self.notes.append(f"agent {name}: no queue manager is named; {_NO_QMGR} is written")
        for body in (*self.transfers, *(one["transferDefinition"] for one in self.monitors)):
            for side in _SIDES:
                body[side]["qmgrName"] = body[side]["qmgrName"] or self.agents.get(body[side]["name"], _NO_QMGR)


def read_definitions(body: bytes, name: str, into: Definitions) -> None:
    """Read the definitions of a file; `name` stands for it in notes, and for a request, which has no name.

    DefinitionUnreadable where the file is too large, no XML without a DTD, or of another kind.
    """
    if len(body) > MAX_FILE:
        raise DefinitionUnreadable(f"it has more than {MAX_FILE} bytes")
    try:
        root = xml.parse(body, max_elements=_MAX_ELEMENTS)
    except xml.XmlError as error:
        raise DefinitionUnreadable(str(error)) from error
    kind = local(root.tag)
    if kind in _NOT_CARRIED:
        into.notes.append(f"{name}: is not carried over: {_NOT_CARRIED[kind]}")
        return
    if kind not in _ROOTS:
        raise DefinitionUnreadable(f"the root element {one_line(kind)!r} is no definition of a transfer or monitor")
    _ROOTS[kind](root, name, into)


def _fits(check: validate.Regexp, text: str) -> bool:
    try:
        check(text)
    except ValidationError:
        return False
    return True


def _parts(root: Element, tag: str) -> Iterator[Element]:
    return (each for each in root if local(each.tag) == tag)


def _add_transfer(element: Element, path: str, name: str, into: Definitions) -> None:
    node = Node(element, path, into.notes)
    body = read_transfer(node)
    node.finish()
    if body is not None:
        _note_schedule(node, body, into.now)
        into.add_agents(node, body)
        taken = {each["name"] for each in into.transfers}
        into.transfer_paths.append(node.path)
        into.transfers.append({"name": _unique(name, taken), **body})


def _note_schedule(node: Node, body: Mapping[str, Any], now: int) -> None:
    """Note what in a schedule the hub would refuse if it were posted now; a later request may give another start."""
    named = {side: {**body[side], "qmgrName": body[side]["qmgrName"] or _NO_QMGR} for side in _SIDES}
    try:
        wanted = submission({**body, **named})
    except BodyInvalid:
        # A transfer that is refused as a whole is left out.
        return
    try:
        if wanted.schedule is not None:
            plan(wanted.schedule, _UTC, now)
    except BodyInvalid as error:
        node.note(one_line(f"the hub would refuse {error.words['name']}: {error.words['reason']}"))


def _unique(name: str, taken: set[str]) -> str:
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name}-{number}"
    return found


def _request(root: Element, name: str, into: Definitions) -> None:
    parts = list(_parts(root, "managedTransfer"))
    if not parts:
        into.notes.append(f"{name}: is not carried over: the request is none for a transfer of files")
    for part in parts:
        job = (part.findtext("{*}job/{*}name") or "").strip()
        _add_transfer(part, name, job or name.rpartition("/")[2].rpartition(".")[0] or name, into)


def _template(root: Element, name: str, into: Definitions) -> None:
    given = (root.findtext("{*}name") or "").strip()
    node_name = f"{name}: template {one_line(given)}" if given else name
    for each in list(_parts(root, "name")):
        root.remove(each)
    root.attrib.pop("id", None)
    _add_transfer(root, node_name, given or name, into)


def _templates(root: Element, name: str, into: Definitions) -> None:
    for part in _parts(root, "transferTemplate"):
        _template(part, name, into)


def _schedules(root: Element, name: str, into: Definitions) -> None:
    agent = root.get("agent", "").strip().upper()
    for part in _parts(root, "managedTransfer"):
        number = part.attrib.pop("id", "").strip()
        _add_transfer(part, f"{name}: schedule {one_line(number)}", f"{agent or 'SCHEDULE'}-{number}", into)


def _monitor(root: Element, name: str, into: Definitions) -> None:
    given = (root.findtext("{*}name") or "").strip()
    node = Node(root, f"{name}: monitor {one_line(given)}", into.notes)
    node.attribute("overwrite")
    body = read_monitor(node)
    node.finish()
    if body is None:
        return
    if any((each["name"], each["agentName"]) == (body["name"], body["agentName"]) for each in into.monitors):
        node.note("is not carried over: the agent has a monitor of that name already")
        return
    into.add_agents(node, body["transferDefinition"])
    into.add_agent(node, body["agentName"], "")
    into.monitor_paths.append(node.path)
    into.monitors.append(body)


_ROOTS: Final[Mapping[str, Callable[[Element, str, Definitions], None]]] = {
    "request": _request,
    "transferTemplate": _template,
    "transferTemplates": _templates,
    "schedules": _schedules,
    "monitor": _monitor,
}
