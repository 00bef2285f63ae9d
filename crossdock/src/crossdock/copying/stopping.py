"""Let SIGINT and SIGTERM end a copy within two seconds."""

import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any


class Stop(threading.Event):
    """Set by the first signal. `moving` is True while files are on their way; before, a signal interrupts at once."""

    def __init__(self) -> None:
        super().__init__()
        self.moving = False


@contextmanager
def interruptible() -> Iterator[Stop]:
    """Give a Stop that SIGINT and SIGTERM set; a second SIGINT, or one before a file moves, is KeyboardInterrupt."""
    stop = Stop()

    def handle(number: int, _frame: FrameType | None) -> None:
        again = stop.is_set()
        stop.set()
        if not stop.moving or (again and number == signal.SIGINT):
            raise KeyboardInterrupt

    former: Mapping[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        former = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
