"""Write what the calls of a managed transfer make of it, as long as it is this worker's (234)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mqmft_svc.domain.calls import AFTER, BEFORE, Try
from mqmft_svc.domain.managed import Managed
from mqmft_svc.domain.next_calls import failure_of, receiver_of, state_of
from mqmft_svc.operations.calls.logging import log_try
from mqmft_svc.operations.managed.owned import OwnedTransfer
from mqmft_svc.operations.managed.transfer_events import outcome


class CalledTransfer(OwnedTransfer):
    """A transfer that this worker moves, or for which it makes a call; between two tries it is nobody's."""

    def may_move(self) -> bool:
        """Return whether the calls before the first byte are over; else let the transfer wait for them, or end it."""
        transfer = self.transfer
        if reason := failure_of(transfer, BEFORE):
            self.end("failed", reason, left=False)
        elif receiver := receiver_of(transfer, BEFORE):
            self._wait(replace(transfer, receiver=receiver), 0, tells=False)
        return not reason and not receiver

    def moved(self, *, left: bool) -> None:
        """End the transfer, whose files are over, or let it wait for the calls behind its last item."""
        arrived = self.counts.arrived > 0
        if arrived and (receiver := receiver_of(self.transfer, AFTER)):
            self._wait(replace(self.transfer, receiver=receiver), 0, left=left)
        else:
            self._complete(self.transfer, left=left)

    def tried(self, name: str, tried: Try) -> None:
        """Store a try of a call, and what follows: another try, the next call, the first byte, or the end."""
        before, request = self.transfer, self.transfer.submission.calls[name]
        state = state_of(before, name).after(request, tried)
        called = replace(before, calls={**before.calls, name: state}, recovering_since=None)
        if not state.outcome:
            self.postpone(self._now() + request.retry_wait_s * 1000, called)
        elif name in BEFORE:
            self._before(called)
        elif receiver := receiver_of(called, AFTER):
            self.postpone(0, replace(called, receiver=receiver))
        else:
            self._complete(called, left=False)
        log_try(request, state, transfer=before.id, name=name)

    def postpone(self, due_at: int, waiting: Managed | None = None) -> None:
        """Let a worker make the next call at a time."""
        self._wait(waiting or self.transfer, due_at, tells=self.counts.files > 0)

    def _before(self, called: Managed) -> None:
        if reason := failure_of(called, BEFORE):
            self.end("failed", reason, left=False)
        else:
            self.postpone(0, replace(called, receiver=receiver_of(called, BEFORE)))

    def _complete(self, called: Managed, *, left: bool) -> None:
        reason = failure_of(called, AFTER)
        self.end("partiallySuccessful" if reason else outcome(self.counts), reason, left=left)

    def call_payload(self, name: str, hosts: list[str]) -> Mapping[str, Any]:
        """Return what a child gets for a call: nothing of other calls, and nothing of the agents but their names."""
        transfer, submission = self.transfer, self.transfer.submission
        agents = {"sourceAgent": submission.source_agent, "destinationAgent": submission.destination_agent}
        return {
            "id": transfer.id,
            "name": name,
            "request": submission.calls[name].to_json(),
            "hosts": hosts,
            "items": [item.to_json() for item in submission.items],
            "head": {
                **{side: {"name": one.name, "qmgrName": one.qmgr} for side, one in agents.items()},
                "job": {"name": submission.job_name},
                "userProperties": dict(submission.user_properties),
            },
        }
