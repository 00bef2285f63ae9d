"""Make one try of a call in a child, and store how it went."""

from collections.abc import Sequence
from typing import Any

from mft_common import logs
from mft_common.clock import Clock
from mft_common.database import Database
from mft_common.dispatch import Runner
from mft_common.process import work_metrics
from mft_common.process.runner import Json
from mqmft_svc import SERVICE
from mqmft_svc.domain.calls import CallRequest, Try
from mqmft_svc.domain.managed_calls import ManagedCall
from mqmft_svc.operations.calls.child import RUN
from mqmft_svc.operations.calls.logging import log_try
from mqmft_svc.operations.calls.try_process import TryProcess
from mqmft_svc.store import calls as store


class CallProcess(TryProcess):
    """One try of a call that was asked for by itself."""

    def __init__(self, runner: Runner, database: Database, call: ManagedCall, hosts: Sequence[str], now: Clock) -> None:
        assert call.request is not None
        super().__init__(runner, RUN, _payload(call, call.request, hosts), now)
        self._request = call.request
        self._database = database
        self._call = call

    def _on_message(self, _kind: str, _data: Json) -> Json:
        """Answer nothing: the child of a call asks nothing."""

    def _log_lost(self) -> None:
        logs.get("calls").warning("call.lost", call=self._call.id)

    def _tried(self, tried: Try) -> None:
        """Store a try, and the end of the call where no other follows."""
        request = self._request
        now, state = self._now(), self._call.progress.after(request, tried)
        said = tried.reason or f"the receiver answered {tried.status}"
        values: dict[str, Any] = {
            "tries": state.tries, "outcome": state.outcome, "result_code": tried.status, "answer": tried.answer,
            "description": f"{said[0].upper()}{said[1:]}.", "updated_at": now, "owner": "",
        }  # fmt: skip
        if state.outcome:
            final = "successful" if state.outcome == "success" else "failed"
            ended_at = max(now, self._call.started_at)
            values |= {"phase": "over", "state": final, "ended_at": ended_at, "due_at": ended_at}
        else:
            values |= {"phase": "queued", "due_at": now + request.retry_wait_s * 1000}
        with self._database.write() as connection:
            store.change(connection, self._call, **values)
        if state.outcome:
            work_metrics.ended(SERVICE, "call", values["state"], self._call.started_at, values["ended_at"])
        log_try(request, state, id=self._call.id)

    def _wait(self, due_at: int) -> None:
        """Let a worker make this try again."""
        with self._database.write() as connection:
            store.change(connection, self._call, phase="queued", due_at=due_at, owner="")

    def _stopped(self, _asked: str) -> None:
        self._wait(self._now())


def _payload(call: ManagedCall, request: CallRequest, hosts: Sequence[str]) -> dict[str, Any]:
    body = {
        "id": call.id,
        "call": "call",
        "agent": {"name": call.agent, "qmgrName": call.qmgr},
        "job": {"name": call.job_name},
        "userProperties": dict(call.user_properties),
    }
    return {"id": call.id, "request": request.to_json(), "body": body, "hosts": list(hosts)}
