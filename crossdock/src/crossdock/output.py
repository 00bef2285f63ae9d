"""End a command in order where a signal comes or its output cannot be written."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

from mft_common.endpoints.errors import reason_of

USAGE: Final = 2
# EX_IOERR of sysexits.h: no other end of a command has it.
OUTPUT_FAILED: Final = 74
INTERRUPTED: Final = 130


class Output:
    """Standard output; after the first failure, which is kept as `problem`, nothing more is written."""

    def __init__(self) -> None:
        self.problem = ""

    def print(self, write: Callable[[], Any]) -> None:
        """Write by a call, unless an earlier one has failed."""
        if self.problem:
            return
        try:
            write()
        except OSError as error:
            self.problem = shown_reason(error)
            discard_unwritable()


def discard_unwritable() -> bool:
    """Return whether standard output holds what cannot be written; then that and all later output is discarded."""
    try:
        sys.stdout.flush()
    except OSError:
        # The interpreter would try it again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return True
    return False


def shown_reason(error: BaseException) -> str:
    """Return the text of an error without the number with which that of the system begins."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return reason_of(error)


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM end the block as SIGINT does, by KeyboardInterrupt, until the block handles it itself."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    ours = threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if ours:
        signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        if ours and signal.getsignal(signal.SIGTERM) is interrupt:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
