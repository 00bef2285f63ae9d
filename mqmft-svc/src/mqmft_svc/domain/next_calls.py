"""Tell which call of a managed transfer comes next, and whether one has failed (234)."""

from collections.abc import Sequence
from typing import Final

from mqmft_svc.domain.calls import AFTER, BEFORE, CallState
from mqmft_svc.domain.managed import Managed

_ORDER: Final = (*BEFORE, *AFTER)


def state_of(transfer: Managed, name: str) -> CallState:
    """Return how far a call of a transfer is."""
    return transfer.calls.get(name, CallState())


def next_call(transfer: Managed, names: Sequence[str] = _ORDER) -> str:
    """Return the first of the calls of a transfer that is not over, "" where there is none."""
    return next((one for one in names if one in transfer.submission.calls and not state_of(transfer, one).outcome), "")


def receiver_of(transfer: Managed, names: Sequence[str]) -> str:
    """Return the receiver of the first of these calls that is not over, "" where there is none."""
    name = next_call(transfer, names)
    return transfer.submission.calls[name].name if name else ""


def failure_of(transfer: Managed, names: Sequence[str]) -> str:
    """Return the sentence about the first of these calls that has failed, "" where none has."""
    failed = (one for one in names if state_of(transfer, one).outcome == "failure")
    return next((f"The {one} failed: {state_of(transfer, one).last.reason}." for one in failed), "")
