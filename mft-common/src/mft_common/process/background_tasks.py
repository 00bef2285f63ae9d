"""Run the parts of a worker, one thread each, until it is told to stop."""

import signal
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import FrameType

from mft_common import logs

_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 10.0


@dataclass(frozen=True)
class BackgroundTask:
    """Something a worker does for as long as it lives: `run(stop)` returns soon after `stop` is set."""

    name: str
    run: Callable[[threading.Event], None]


def _keep_running(part: BackgroundTask, stop: threading.Event) -> None:
    log = logs.get("worker")
    pause = _FIRST_PAUSE_S
    while not stop.is_set():
        try:
            part.run(stop)
            pause = _FIRST_PAUSE_S
        except Exception as error:
            log.exception("part.failed", part=part.name, error=repr(error))
        if stop.wait(pause):
            return
        pause = min(pause * 2, _LONGEST_PAUSE_S)


def start_tasks(parts: Iterable[BackgroundTask], stop: threading.Event) -> list[threading.Thread]:
    """Start one thread a part; a part that raises or returns early is started again, later each time."""
    threads = [threading.Thread(target=_keep_running, args=(part, stop), name=part.name, daemon=True) for part in parts]
    for thread in threads:
        thread.start()
    return threads


def run_tasks(parts: Iterable[BackgroundTask], stop: threading.Event, *, grace: float = 20.0) -> None:
    """Run all parts until `stop` is set, then give them `grace` seconds to end."""
    threads = start_tasks(parts, stop)
    stop.wait()
    for thread in threads:
        thread.join(grace)


def stop_on_signals(stop: threading.Event) -> None:
    """Set `stop` on SIGTERM and SIGINT."""

    def handle(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)
