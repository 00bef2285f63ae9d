"""Begin the transfers of a monitor, in the transaction that remembers what it has found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from mft_common import logs
from mft_common.clock import Clock
from mft_common.endpoints.names import printable
from mft_common.errors import Unavailable
from mft_common.ids import new_request_id
from mft_common.watching import Later
from mqmft_svc.domain.monitors import QUEUE, Match, Monitor
from mqmft_svc.domain.places import places_of
from mqmft_svc.domain.submissions import AgentRequest, Submission
from mqmft_svc.domain.variables import OF_FILE, BadVariable, names_in, replaced, values_of
from mqmft_svc.errors import BodyInvalid, NoSuchAgent
from mqmft_svc.operations.accepting import Acceptor
from mqmft_svc.operations.creators import Creators
from mqmft_svc.operations.managed import transfer_events
from mqmft_svc.schemas.submissions import submission
from mqmft_svc.store import deliveries, managed, monitors

_MOST_ITEMS: Final = 1000
_LONGEST_JOB_NAME: Final = 256
_WILDCARDS: Final = frozenset("*?")


@dataclass(frozen=True)
class _Expanded:
    """The transfer that a monitor begins; `malformed` says why its definition yields none."""

    submission: Submission
    malformed: str = ""


class Triggering:
    """Makes a transfer of a batch of matches; `data` is the data folder, `creators` are the accounts of monitors."""

    def __init__(self, acceptor: Acceptor, creators: Creators, now: Clock, data: Path) -> None:
        self._acceptor = acceptor
        self._creators = creators
        self._data = data
        self._now = now
        self._log = logs.get("monitors")

    def begin(self, connection: sa.Connection, monitor: Monitor, matches: Sequence[Match], queue: str = "") -> None:
        """Begin the transfer of some matches, of none for a condition that is met by an absence (238).

        Its originator is the creator of the monitor; it ends as `notAuthorized` where that account is gone or has lost
        the role. Later where as many transfers wait at its source agent as that takes, or the gateway is away.
        """
        with logs.request_scope(new_request_id()):
            expanded = _expanded(monitor, matches, self._now(), queue)
            cause = self._cause(connection, monitor, matches)
            transfer = self._acceptor.new(expanded.submission, monitor.account, caused_by=cause)
            state, reason, agents = "malformed", expanded.malformed, None
            if gone := self._refusal(monitor):
                state, reason = "notAuthorized", gone
            if not reason:
                try:
                    agents = self._acceptor.agents_of(connection, expanded.submission)
                except NoSuchAgent as error:
                    reason = f"{error}"
            if agents is None:
                end = transfer_events.ended(transfer, (), state, self._now(), reason)
                self._acceptor.record(connection, [transfer_events.started(transfer), *end])
            else:
                source = agents[0]
                if managed.queued_of(connection, source.name) >= source.maximum_queued_transfers:
                    raise Later(f"{source.maximum_queued_transfers} transfers wait at the agent {source.name}")
                refusal = self._acceptor.add(connection, transfer, agents)
                reason = refusal.reason if refusal else ""
                if monitor.type == QUEUE and refusal is None:
                    monitors.note_transfer(connection, monitor, transfer.id)
            self._log.info(
                "monitor.triggered", monitor=monitor.name, agent=monitor.agent, transfer=transfer.id,
                matches=len(matches), refused=reason,
            )  # fmt: skip

    def _refusal(self, monitor: Monitor) -> str:
        try:
            return self._creators.refusal(monitor.account)
        except Unavailable as error:
            raise Later(str(error)) from error

    def _cause(self, connection: sa.Connection, monitor: Monitor, matches: Sequence[Match]) -> str | None:
        """Return the transfer of the hub that wrote a file of a batch, the first one that is known."""
        agent = self._acceptor.agents(connection).get(monitor.agent)
        if agent is None:
            return None
        find, data = deliveries.DELIVERIES.find, self._data
        found = (find(connection, list(places_of(agent, one.path, data)), one.size) for one in matches)
        return next(filter(None, found), None)


def batch_of(monitor: Monitor) -> int:
    """Return how many matches make one transfer at most: no more than have room in it."""
    items = monitor.definition["transferSet"]["item"]
    return max(1, min(monitor.matches, _MOST_ITEMS // len(items)))


def _expanded(monitor: Monitor, matches: Sequence[Match], now: int, queue: str) -> _Expanded:
    own = {name.lower(): value for name, value in monitor.variables.items()}

    def values(match: Match | None) -> dict[str, str]:
        return own | values_of(agent=monitor.agent, now=now, queue=queue, match=match)

    first = values(matches[0] if matches else None)
    try:
        body = _body(monitor.definition, first, [values(match) for match in matches] or [first])
        wanted = submission(body)
    except BadVariable as error:
        return _Expanded(_bare(monitor, first), str(error))
    except BodyInvalid as error:
        return _Expanded(_bare(monitor, first), _reason(monitor.definition, error))
    name = wanted.job_name or monitor.name
    return _Expanded(Submission(**{**vars(wanted), "job_name": name}))


def _body(definition: Mapping[str, Any], first: Mapping[str, str], each: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """Return the body of the request; an item with a variable of the file comes once for each match, others once.

    Texts beside the items stand in columns and logs, which hold no byte that is no text.
    """
    transfer_set = definition["transferSet"]
    items: list[dict[str, Any]] = []
    for item in transfer_set["item"]:
        for values in each if names_in(item) & OF_FILE else (first,):
            one = _item(item, values)
            if one not in items:
                items.append(one)
    rest = {name: value for name, value in transfer_set.items() if name != "item"}
    shown = {name: printable(value) for name, value in first.items()}
    body: dict[str, Any] = replaced({**definition, "transferSet": rest}, shown)
    body["transferSet"]["item"] = items
    return body


def _item(item: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, Any]:
    """Return an item of a match; a name with a wildcard in it would stand for other files as well."""
    found: dict[str, Any] = replaced(item, values)
    given, name = item["source"]["name"], found["source"]["name"]
    if _WILDCARDS & set(name) - set(given):
        raise BadVariable(given, "yields a name with * or ?, which stands for other files as well")
    return found


def _bare(monitor: Monitor, values: Mapping[str, str]) -> Submission:
    """Return what is known of the transfer of a definition that yields none: its agents and its name."""

    def agent(side: str) -> AgentRequest:
        texts = []
        for name in ("name", "qmgrName"):
            text = str(monitor.definition[side][name])
            try:
                texts.append(str(replaced(text, values)).upper())
            except BadVariable:
                texts.append(text)
        return AgentRequest(name=texts[0], qmgr=texts[1])

    return Submission(
        source_agent=agent("sourceAgent"), destination_agent=agent("destinationAgent"), items=(),
        job_name=_job_name(monitor, values),
    )  # fmt: skip


def _job_name(monitor: Monitor, values: Mapping[str, str]) -> str:
    """Return the job name of the definition, or the monitor's name where it has none, or none that can be made."""
    given = (monitor.definition.get("job") or {}).get("name") or monitor.name
    try:
        found = str(replaced(given, {name: printable(value) for name, value in values.items()}))
    except BadVariable:
        return monitor.name
    return found if 0 < len(found) <= _LONGEST_JOB_NAME else monitor.name


def _reason(definition: Mapping[str, Any], error: BodyInvalid) -> str:
    """Return why a request is refused, with the variables that its definition has at that place."""
    path = str(error.words["name"])
    value: Any = definition
    for step in path.replace("[", ".").replace("]", "").split("."):
        if isinstance(value, list):
            # Items were made for several matches.
            break
        value = value.get(step) if isinstance(value, dict) else value
    named = ", ".join(f"${{{name}}}" for name in sorted(names_in(value)))
    return f"With the variables {named} replaced, '{path}' is not right: {error.words['reason']}"
