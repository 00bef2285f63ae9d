"""Start the processes of a hub, restart those that end, and stop them in order."""

import math
import os
import signal
import sys
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from types import FrameType
from typing import Final

from mft_common import logs
from mft_common.backoff import Backoff
from mft_common.process.parent_death import die_with_parent

_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 10.0
_LIVED_LONG_S: Final = 30.0
_POLL_S: Final = 0.25
_POLL_BEFORE_READY_S: Final = 0.02
_POLL_WHILE_STOPPING_S: Final = 0.05


@dataclass
class Process:
    """One child: the function that it runs, and whether the hub ends when it ends.

    `grace` is the time in seconds between SIGTERM and SIGKILL when it is stopped.
    """

    name: str
    run: Callable[[], int]
    essential: bool = False
    grace: float = 30.0
    pid: int = 0
    started: float = 0.0
    # Reset by the supervisor alone: a fork that fails must not count as a child that lived long.
    backoff: Backoff = field(default_factory=lambda: Backoff(_FIRST_PAUSE_S, _LONGEST_PAUSE_S, steady=math.inf))
    next_start: float = 0.0
    # Earlier children of this process that finish their requests, with the time at which they are killed.
    draining: dict[int, float] = field(default_factory=dict)


@dataclass
class Supervisor:
    """Forks one child for each process and restarts one that ended; the end of an essential one ends the hub.

    `processes` are stopped in their order: each has ended before the next one gets SIGTERM.
    """

    processes: list[Process]
    # Called after SIGUSR1; returns the names of the processes that are to be replaced.
    reload: Callable[[], Collection[str]] | None = None
    # Called every `maintain_every` seconds; returns the names of the processes that are to be replaced.
    maintain: Callable[[], Collection[str]] | None = None
    maintain_every: float = 3600.0
    _stopping: bool = field(default=False, init=False)
    # True at first: a request that came while the hub started is still to be answered.
    _reloading: bool = field(default=True, init=False)
    _next_maintenance: float = field(default=0.0, init=False)

    def run(self, announce: Callable[[], bool]) -> int:
        """Start all processes and stay until a signal or the end of an essential process; return the exit code.

        `announce()` is called again and again until it returns True: the hub is ready, and the user was told so.
        """
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._handle_stop)
        signal.signal(signal.SIGUSR1, self._handle_reload)
        # Blocked, so that `_wait_for_event` receives it also when a child ends between two polls.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
        for process in self.processes:
            self._start(process)
        self._next_maintenance = time.monotonic() + self.maintain_every
        announced = False
        code = 0
        while not self._stopping:
            announced = announced or announce()
            self._replace_processes()
            code = self._watch()
            if code:
                break
            self._wait_for_event(_POLL_S if announced else _POLL_BEFORE_READY_S)
        for process in self.processes:
            self._stop(process)
        return code

    def _handle_stop(self, _signal: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _handle_reload(self, _signal: int, _frame: FrameType | None) -> None:
        self._reloading = True

    def _replace_processes(self) -> None:
        """Ask `reload` and `maintain`, where they are due, which processes to replace, and replace those."""
        if self._reloading and self.reload is not None:
            self._reloading = False
            self._replace(_names(self.reload))
        if self.maintain is not None and time.monotonic() >= self._next_maintenance:
            self._next_maintenance = time.monotonic() + self.maintain_every
            self._replace(_names(self.maintain))

    def _replace(self, names: Collection[str]) -> None:
        """Start the named processes anew, and let the former children finish the requests that they have."""
        for process in self.processes:
            if process.name in names and process.pid:
                former = process.pid
                if self._restart(process):
                    os.kill(former, signal.SIGTERM)
                    process.draining[former] = time.monotonic() + process.grace

    def _restart(self, process: Process) -> bool:
        """Start a process while others run; False where the system has no process or no memory for it."""
        try:
            self._start(process)
        except OSError as error:
            logs.get("supervisor").error("process.not_started", process=process.name, error=str(error))
            return False
        return True

    @staticmethod
    def _wait_for_event(seconds: float) -> None:
        """Wait for the end of a child or a signal, at most `seconds`."""
        signal.sigtimedwait([signal.SIGCHLD], seconds)

    def _start(self, process: Process) -> None:
        parent = os.getpid()
        sys.stdout.flush()
        sys.stderr.flush()
        # Blocked until the child has its own handlers: it would take a SIGTERM for the supervisor's, and go on.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        try:
            pid = os.fork()
        except OSError:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            raise
        if pid:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            process.pid, process.started = pid, time.monotonic()
            return
        code = 1
        try:
            die_with_parent(parent)
            for number in (signal.SIGTERM, signal.SIGUSR1):
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD, signal.SIGTERM])
            # Ctrl-C and a closed terminal signal the whole process group; the supervisor alone reacts to them.
            for number in (signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            code = process.run()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        except BaseException:  # noqa: BLE001 -- the last place where the error can be logged
            logs.get("supervisor").exception("process.failed", process=process.name)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _watch(self) -> int:
        """Restart processes that have ended; return an exit code once an essential process has ended."""
        now = time.monotonic()
        for process in self.processes:
            _reap_draining(process, now)
            if process.pid and (status := _exit_status(process.pid)) is not None:
                logs.get("supervisor").error("process.ended", process=process.name, status=status)
                process.pid = 0
                if process.essential:
                    return 1
                if now - process.started > _LIVED_LONG_S:
                    process.backoff.reset()
                _postpone(process, now)
            elif not process.pid and now >= process.next_start and not self._restart(process):
                _postpone(process, now)
        return 0

    def _stop(self, process: Process) -> None:
        """End a process and its draining predecessors: SIGTERM, and SIGKILL for those that outlive their grace."""
        if process.pid:
            os.kill(process.pid, signal.SIGTERM)
            process.draining[process.pid] = time.monotonic() + process.grace
            process.pid = 0
        while process.draining:
            _reap_draining(process, time.monotonic())
            if process.draining:
                self._wait_for_event(_POLL_WHILE_STOPPING_S)


def _postpone(process: Process, now: float) -> None:
    """Set the time of the next start, later after each failure."""
    process.next_start = now + process.backoff.pause()


def _names(ask: Callable[[], Collection[str]]) -> Collection[str]:
    """Return the names from `reload` or `maintain`, none where it raised: its failure must not end the hub."""
    try:
        return ask()
    except Exception:  # noqa: BLE001 -- whatever it is, the processes go on
        logs.get("supervisor").exception("replacement.failed")
        return ()


def _reap_draining(process: Process, now: float) -> None:
    """Forget draining children that have ended, and kill those whose grace is over."""
    for pid, deadline in list(process.draining.items()):
        if _exit_status(pid) is not None:
            del process.draining[pid]
        elif now > deadline:
            logs.get("supervisor").error("process.killed", process=process.name, grace=process.grace)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            del process.draining[pid]


def _exit_status(pid: int) -> int | None:
    """Return the exit status of a child that has ended, else None."""
    done, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if done else None
