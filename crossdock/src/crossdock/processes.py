"""Start the hub's processes, keep them running, and stop them together."""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from types import FrameType

from mft_common import logs

_PR_SET_PDEATHSIG = 1
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 10.0
_LIVED_LONG_S = 30.0


def _die_with_parent(parent: int) -> None:
    """Ask the kernel to kill this process with its parent, so that no kill -9 leaves half a hub behind."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


@dataclass
class Process:
    """One child: what it runs, and whether its end is the end of the hub."""

    name: str
    run: Callable[[], int]
    essential: bool = False
    pid: int = 0
    started: float = 0.0
    pause: float = _FIRST_PAUSE_S
    next_start: float = 0.0


@dataclass
class Supervisor:
    """Forks one child for each process, and starts one that ended again; an essential one takes the hub with it."""

    processes: list[Process]
    grace: float = 30.0
    # What SIGUSR1 asks for; it returns the names of the processes that are to be replaced.
    reload: Callable[[], Collection[str]] | None = None
    _stopping: bool = field(default=False, init=False)
    _reloading: bool = field(default=False, init=False)
    _leaving: list[int] = field(default_factory=list, init=False)

    def run(self, announce: Callable[[], bool]) -> int:
        """Start all and stay until a signal or the end of an essential process; return an exit code.

        `announce()` is called again and again until it says that it has told the user that the hub is ready.
        """
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._signalled)
        signal.signal(signal.SIGUSR1, self._asked_to_reload)
        # Blocked, so that the end of a child waits for `_doze` instead of getting lost between two looks.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
        for process in self.processes:
            self._start(process)
        announced = False
        code = 0
        while not self._stopping:
            if not announced:
                announced = announce()
            if self._reloading and self.reload is not None:
                self._reloading = False
                self._replace(self.reload())
            code = self._watch()
            if code:
                break
            self._doze(0.02 if not announced else 0.25)
        self._stop_all()
        return code

    def _signalled(self, _signal: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _asked_to_reload(self, _signal: int, _frame: FrameType | None) -> None:
        self._reloading = True

    def _replace(self, names: Collection[str]) -> None:
        """Start the named processes anew, and let the former ones finish what they have at work."""
        for process in self.processes:
            if process.name in names and process.pid:
                former = process.pid
                self._start(process)
                os.kill(former, signal.SIGTERM)
                self._leaving.append(former)

    @staticmethod
    def _doze(seconds: float) -> None:
        """Wait for the end of a child or a signal, at most `seconds`."""
        signal.sigtimedwait([signal.SIGCHLD], seconds)

    def _start(self, process: Process) -> None:
        parent = os.getpid()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid:
            process.pid, process.started = pid, time.monotonic()
            return
        code = 1
        try:
            _die_with_parent(parent)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
            for number in (signal.SIGTERM, signal.SIGUSR1):
                signal.signal(number, signal.SIG_DFL)
            # Ctrl-C and a closed terminal reach the whole group; the supervisor alone decides what they mean.
            for number in (signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            code = process.run()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        except BaseException:  # noqa: BLE001 -- the last place where anything can be said of it
            logs.get("processes").exception("process.failed", process=process.name)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _watch(self) -> int:
        """Start what has ended; return an exit code once an essential process is gone."""
        now = time.monotonic()
        self._leaving = [pid for pid in self._leaving if _ended(pid) is None]
        for process in self.processes:
            if process.pid and (status := _ended(process.pid)) is not None:
                logs.get("processes").error("process.ended", process=process.name, status=status)
                process.pid = 0
                if process.essential:
                    return 1
                if now - process.started > _LIVED_LONG_S:
                    process.pause = _FIRST_PAUSE_S
                process.next_start = now + process.pause
                process.pause = min(process.pause * 2, _LONGEST_PAUSE_S)
            elif not process.pid and now >= process.next_start:
                self._start(process)
        return 0

    def _stop_all(self) -> None:
        """End the children in order: the door first, so that what it accepted still finds its worker."""
        for process in self.processes:
            if process.pid:
                os.kill(process.pid, signal.SIGTERM)
        deadline = time.monotonic() + self.grace
        for process in self.processes:
            while process.pid and _ended(process.pid) is None:
                if time.monotonic() > deadline:
                    os.kill(process.pid, signal.SIGKILL)
                    deadline += 5
                self._doze(0.05)
            process.pid = 0
        for pid in self._leaving:
            if _ended(pid) is None:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)


def _ended(pid: int) -> int | None:
    """Return the exit status of a child that has ended, else None."""
    done, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if done else None
