"""Abort an upload without waiting for a far side that does not answer once the caller wants to stop."""

import contextvars
import threading
import time
from concurrent.futures import Future, wait
from typing import Final

from mft_common import logs
from mft_common.endpoints.contract import Stored, Writer
from mft_common.endpoints.errors import Interrupted, OutcomeUnknown, TransferError
from mft_common.endpoints.names import printable
from mft_common.endpoints.one_commit import unanswered
from mft_common.transfer.interrupt import Interrupt

# How long an abort may take once the caller wants to stop; what it leaves is a sweep's.
_STOP_S: Final = 1.0
_POLL_S: Final = 0.1


def abort_because(
    writer: Writer, error: BaseException, interrupt: Interrupt, *, keep: bool = False, once: str = ""
) -> Stored | None:
    """Abort an upload because of `error`; return the stored file where an unanswered commit had been carried out.

    After an interrupt it takes a second at most. An abort that is not over by then is left to a thread that does not
    outlive the process, and what it may leave to a sweep: `error.leftover` says so. OutcomeUnknown where it cannot be
    found out whether an unanswered commit was carried out: `once` names the file where such a commit may not be
    repeated, and then an abort that fails has not found it out.
    """
    aborting: Future[Stored | None] = Future()
    context = contextvars.copy_context()

    def run() -> None:
        try:
            aborting.set_result(context.run(writer.abort, keep=keep))
        except BaseException as failure:  # noqa: BLE001 -- the thread that waits for the abort raises it
            aborting.set_exception(failure)

    threading.Thread(target=run, name="abort", daemon=True).start()
    over = _is_over_in_time(aborting, interrupt, stopped=_is_stop(error))
    if over:
        try:
            return aborting.result()
        except OutcomeUnknown:
            raise
        except TransferError:
            pass
    else:
        logs.get("transfer").warning("abort.unanswered", leftover=printable(writer.temporary))
    if isinstance(error, TransferError):
        error.leftover = True
    if once:
        unknown = unanswered(once)
        unknown.leftover = True
        raise unknown
    return None


def _is_stop(error: BaseException) -> bool:
    return isinstance(error, Interrupted) or not isinstance(error, Exception)


def _is_over_in_time(aborting: "Future[Stored | None]", interrupt: Interrupt, *, stopped: bool) -> bool:
    """Wait for an abort; False where it is not over `_STOP_S` after the caller wanted to stop."""
    until: float | None = None
    while not wait((aborting,), _POLL_S).done:
        if until is None and (stopped or interrupt.is_set()):
            until = time.monotonic() + _STOP_S
        if until is not None and time.monotonic() > until:
            return False
    return True
