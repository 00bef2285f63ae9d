"""Take requests for calls, and answer what has become of them (1.M)."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import sqlalchemy as sa

from mft_common import logs
from mft_common.clock import Clock
from mft_common.database import Database
from mft_common.ids import TransferIds
from mqmft_svc.domain.agents import Agent
from mqmft_svc.domain.callers import Caller
from mqmft_svc.domain.ids import is_id
from mqmft_svc.domain.managed_calls import CallSubmission, ManagedCall
from mqmft_svc.errors import NoSuchCall
from mqmft_svc.operations import repeating
from mqmft_svc.operations.accepting import not_allowed, required
from mqmft_svc.operations.availability import Availability
from mqmft_svc.operations.calls.checking import check_hosts
from mqmft_svc.schemas.attributes import Selection
from mqmft_svc.schemas.call_documents import default_document, whole_document
from mqmft_svc.schemas.queries import ListQuery
from mqmft_svc.settings import Settings
from mqmft_svc.store import calls as store

_RESOURCE: Final = "call"
_PURGE_AT_ONCE: Final = 500


class Calls:
    """The call resource; `agents` reads those of the configuration that was applied last."""

    def __init__(
        self,
        database: Database,
        availability: Availability,
        settings: Settings,
        agents: Callable[[sa.Connection], Mapping[str, Agent]],
        *,
        ids: TransferIds,
        host: str,
        now: Clock,
    ) -> None:
        self._database = database
        self._availability = availability
        self._settings = settings
        self._agents = agents
        self._ids = ids
        self._host = host
        self._now = now

    def submit(self, submission: CallSubmission, caller: Caller, key: str = "") -> str:
        """Accept a call and return its id; BodyInvalid for its host, NoSuchAgent, and then nothing is recorded.

        A call that its agent does not make for the caller has ended when this returns. With the `key` of an earlier
        request of this caller the id of that one's call is returned.
        """
        check_hosts(self._settings.call_hosts, {_RESOURCE: submission.call})
        self._availability.require()
        stored, call = repeating.digest(key, _RESOURCE), self._new(submission, caller)
        with self._database.write() as connection:
            if found := repeating.earlier(connection, caller.user, stored, call.started_at):
                return found
            agent = required(self._agents(connection), submission.agent)
            repeating.remember(connection, caller.user, stored, call.id, call.started_at)
            refusal = not_allowed(agent, caller.user)
            store.insert(connection, call if refusal is None else _refused(call, refusal))
        log = logs.get("calls")
        if refusal is None:
            log.info("call.accepted", call=call.id, user=caller.user, host=call.name)
        else:
            log.info("call.refused", call=call.id, user=caller.user, reason=refusal)
        return call.id

    def _new(self, submission: CallSubmission, caller: Caller) -> ManagedCall:
        now = self._now()
        return ManagedCall(
            id=self._ids.new(), agent=submission.agent.name, qmgr=submission.agent.qmgr, name=submission.call.name,
            account=caller.user, host=self._host, request_id=logs.request_id()[:64], started_at=now, updated_at=now,
            due_at=now, request=submission.call, job_name=submission.job_name,
            user_properties=submission.user_properties,
        )  # fmt: skip

    def list_calls(self, query: ListQuery) -> list[dict[str, Any]]:
        """Return the newest calls, or those nearest to one of them."""
        self._availability.require()
        plain = not query.selection.paths and not query.selection.everything
        with self._database.read() as connection:
            marks = {
                name: None if id_ is None else _find(connection, id_)
                for name, id_ in (("after", query.after), ("before", query.before))
            }
            calls = store.newest(connection, query.limit, **marks, brief=plain)
        return [_document(one, query.selection, plain=plain) for one in calls]

    def get_call(self, id_: str, selection: Selection) -> list[dict[str, Any]]:
        """Return one call as a list of one; NoSuchCall."""
        self._availability.require()
        with self._database.read() as connection:
            call = _find(connection, id_)
        return [_document(call, selection, plain=False)]

    def purge(self) -> int:
        """Delete one batch of the calls that are older than MQMFT_KEEP_DAYS; return how many (200)."""
        since = self._settings.kept_since(self._now())
        if since is None:
            return 0
        with self._database.write() as connection:
            return store.delete_older(connection, since, _PURGE_AT_ONCE)


def _refused(call: ManagedCall, reason: str) -> ManagedCall:
    return replace(
        call, state="notAuthorized", description=reason, phase="over", ended_at=call.started_at, request=None
    )


def _document(call: ManagedCall, selection: Selection, *, plain: bool) -> dict[str, Any]:
    default = default_document(call)
    return default if plain else selection.extend(default, whole_document(call))


def _find(connection: sa.Connection, id_: str) -> ManagedCall:
    key = id_.upper()
    found = store.find(connection, key) if is_id(key) else None
    if found is None:
        raise NoSuchCall(id=id_)
    return found
