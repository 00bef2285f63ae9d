"""Run a program in a process group of its own, and stop or kill the whole group."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from tests.servers.processes import is_running, wait_until
from tests.servers.secret_search import watch_log, watch_processes


class Program:
    """A program in a process group of its own, its output in the file `log`."""

    def __init__(self, command: Sequence[object], log: Path, *, env: Mapping[str, str] | None = None) -> None:
        self.command = [str(part) for part in command]
        self.log = log
        self.env = env
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start it and return at once."""
        with watch_log(self.log).open("ab") as output:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=self.env,
            )
        return self

    @property
    def pid(self) -> int:
        """The process id of its first process."""
        assert self._process is not None
        return self._process.pid

    def running(self) -> bool:
        """True while its first process lives."""
        return self._process is not None and self._process.poll() is None

    def wait(self, within: float = 30.0) -> int:
        """Wait for its end and return its exit code."""
        assert self._process is not None
        return self._process.wait(within)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to its first process."""
        os.kill(self.pid, number)

    def send_to_all(self, number: signal.Signals) -> None:
        """Send a signal to every process of its group."""
        os.killpg(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM to its first process."""
        if self.running():
            self.send(signal.SIGTERM)

    def children(self) -> list[int]:
        """Return the process ids of its first process's children, the oldest one first."""
        return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]

    def kill_one(self, pid: int) -> None:
        """Kill -9 one of its processes."""
        os.kill(pid, signal.SIGKILL)

    def stop(self, within: float = 40.0, *, asked: bool = False) -> int:
        """Send SIGTERM, unless it was `asked` before, and wait for the end; return the exit code.

        An interpreter on its way out has the system's own signal handlers again: a second SIGTERM would kill it.
        """
        if not asked:
            watch_processes(_group(self.pid))
            self.terminate()
        try:
            return self.wait(within)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.command} did not stop on SIGTERM:\n{self.tail()}") from None

    def lives(self) -> bool:
        """True while any process of its group does."""
        return bool(_group(self.pid))

    def kill(self) -> None:
        """Send SIGKILL to every process of its group at once, and wait until none is left."""
        if self._process is None:
            return
        watch_processes(_group(self.pid))
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        wait_until(lambda: not self.lives(), what=f"the end of {self.command}")

    def tail(self, lines: int = 30) -> str:
        """Return the end of its output."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def _group(group: int) -> list[int]:
    """Return the processes of a group that have not ended."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                if int(fields[2]) == group and is_running(int(entry.name)):
                    found.append(int(entry.name))
    return found
