"""Make one try of a call in a child, and store how it went."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from mft_common import logs
from mft_common.clock import Clock
from mft_common.database import Database
from mft_common.database.leases import LeaseLost
from mft_common.dispatch import Child, Runner, until_written
from mft_common.errors import Unavailable
from mft_common.process.runner import End, Json, MessageTooLarge, PoolFull
from mqmft_svc.domain.calls import CallRequest, Try
from mqmft_svc.domain.managed_calls import ManagedCall
from mqmft_svc.operations.calls.child import RUN
from mqmft_svc.operations.calls.logging import log_try
from mqmft_svc.store import calls as store

# The end of a try that the end of its worker interrupts: the next worker makes it again.
INTERRUPTED: Final = "interrupted"
_NO_PROCESS_MS: Final = 5_000


class CallProcess:
    """One try of a call; `run` returns once its end is stored, or the call is no longer this worker's."""

    def __init__(self, runner: Runner, database: Database, call: ManagedCall, hosts: Sequence[str], now: Clock) -> None:
        self._child = Child(runner)
        self._database = database
        self._call = call
        self._hosts = hosts
        self._now = now

    def stop(self, end: str) -> None:
        """Kill the child: a call that waits for its answer hears nothing else."""
        self._child.kill(end)

    def kill(self, end: str) -> None:
        """Kill the child."""
        self._child.kill(end)

    def abandon(self, end: str) -> None:
        """Kill the child: the worker itself ends."""
        self._child.kill(end)

    def run(self) -> None:
        """Run the child, and write how the try ended, again and again while the database is away."""
        request = self._call.request
        assert request is not None
        try:
            end = self._child.run(RUN, self._payload(request), _hear)
        except (Unavailable, PoolFull):
            return self._settle(lambda: self._wait(self._now() + _NO_PROCESS_MS))
        except MessageTooLarge:
            tried = Try(reason="the request has more bytes than a process takes", is_final=True)
            return self._settle(lambda: self._tried(request, tried))
        if self._child.asked and not end.completed:
            return self._settle(lambda: self._wait(self._now()))
        return self._settle(lambda: self._tried(request, try_of(end)))

    def _payload(self, request: CallRequest) -> dict[str, Any]:
        call = self._call
        body = {
            "id": call.id,
            "call": "call",
            "agent": {"name": call.agent, "qmgrName": call.qmgr},
            "job": {"name": call.job_name},
            "userProperties": dict(call.user_properties),
        }
        return {"id": call.id, "request": request.to_json(), "body": body, "hosts": list(self._hosts)}

    def _settle(self, write: Callable[[], None]) -> None:
        try:
            until_written(write)
        except LeaseLost:
            logs.get("calls").warning("call.lost", call=self._call.id)

    def _tried(self, request: CallRequest, tried: Try) -> None:
        """Store a try, and the end of the call where no other follows."""
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
        log_try(request, state, id=self._call.id)

    def _wait(self, due_at: int) -> None:
        """Let a worker make this try again."""
        with self._database.write() as connection:
            store.change(connection, self._call, phase="queued", due_at=due_at, owner="")


def _hear(_kind: str, _data: Json) -> Json:
    """Answer nothing: the child of a call asks nothing."""
    return None


def try_of(end: End) -> Try:
    """Return how the try of a child went."""
    if end.completed:
        return Try.from_json(end.result)
    return Try(reason=f"the process of the call {end.reason}")
