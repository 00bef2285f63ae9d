"""Run the background tasks of a worker, one thread each, until the worker stops."""

import signal
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import FrameType
from typing import Final

from mft_common import logs
from mft_common.backoff import Backoff
from mft_common.errors import Unavailable

_FIRST_PAUSE_S: Final = 0.2
_LONGEST_PAUSE_S: Final = 10.0
_LOOK_EVERY_S: Final = 0.1
# The time that all tasks of a worker have to end; containers are given 40 s.
GRACE_S: Final = 35.0


@dataclass(frozen=True)
class BackgroundTask:
    """Work that a worker does until it stops: `run(stop)` returns soon after `stop` is set."""

    name: str
    run: Callable[[threading.Event], None]


def begin_after(begun: threading.Event, task: BackgroundTask) -> BackgroundTask:
    """Return the same task, which does nothing before `begun` is set."""

    def run(stop: threading.Event) -> None:
        while not begun.wait(_LOOK_EVERY_S):
            if stop.is_set():
                return
        task.run(stop)

    return BackgroundTask(task.name, run)


def periodic_task(name: str, work: Callable[[], object], *, every: float, first: float = 0.0) -> BackgroundTask:
    """Return the task that calls `work` `first` seconds after its start, and then each `every` seconds.

    An error of `work` ends the run; the worker restarts it, as each of its tasks.
    """

    def run(stop: threading.Event) -> None:
        pause = first
        while not stop.wait(pause):
            work()
            pause = every

    return BackgroundTask(name, run)


def keep_running(task: BackgroundTask, stop: threading.Event, now: Callable[[], float] = time.monotonic) -> None:
    """Run a task until `stop` is set; restart it where it raises or returns early, later each time.

    A task that ran for a minute before it failed is restarted after the first, short pause again.
    """
    log = logs.get("worker")
    backoff = Backoff(_FIRST_PAUSE_S, _LONGEST_PAUSE_S, now=now)
    while not stop.is_set():
        backoff.begin()
        try:
            task.run(stop)
        except Unavailable as error:
            log.warning("task.waiting", task=task.name, error=str(error))
        except Exception:
            log.exception("task.failed", task=task.name)
        if stop.wait(backoff.pause()):
            return


def start_tasks(tasks: Iterable[BackgroundTask], stop: threading.Event) -> list[threading.Thread]:
    """Start one thread a task, each of which keeps its task running."""
    threads = [threading.Thread(target=keep_running, args=(task, stop), name=task.name, daemon=True) for task in tasks]
    for thread in threads:
        thread.start()
    return threads


def run_tasks(tasks: Iterable[BackgroundTask], stop: threading.Event, *, grace: float = GRACE_S) -> None:
    """Run all tasks until `stop` is set, then give them `grace` seconds together to end."""
    threads = start_tasks(tasks, stop)
    stop.wait()
    deadline = time.monotonic() + grace
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))


def stop_on_signals(stop: threading.Event) -> None:
    """Set `stop` on SIGTERM and SIGINT."""

    def handle(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)
