"""Run a program of the operator's within a child, with limits on all that it uses, and hand over what it writes."""

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol

from mft_common.errors import MftError
from mft_common.process import descendants
from mft_common.process.runner.confinement import Confinement, Limits, user_arguments
from mft_common.process.runner.script_output import Line, OnLines, Output, OutputStream

__all__ = ["Interrupt", "Limits", "Line", "ScriptEnd", "ScriptNotStarted", "run_script"]

_LOOK_EVERY_S: Final = 0.1
_LOOK_AT_GROUP_EVERY_S: Final = 0.02
_UMASK: Final = 0o077

Reason = Literal["", "time", "stopped"]


class Interrupt(Protocol):
    """The request to stop; a child's `Channel.interrupt` is one."""

    def is_set(self) -> bool:
        """Return True once the program is to be ended."""
        ...


class ScriptNotStarted(MftError):  # noqa: N818 -- the name of a condition
    """The program could not be started at all; the text says why, without a path of this machine."""


@dataclass(frozen=True)
class ScriptEnd:
    """How a program ended: its exit code (negative for a signal), whether its output was cut, and why it was ended."""

    exit_code: int
    cut: bool = False
    ended_for: Reason = ""


def run_script(
    command: Sequence[str], *, folder: Path, environment: Mapping[str, str], limits: Limits, interrupt: Interrupt,
    on_lines: OnLines, user: str | None = None,
) -> ScriptEnd:  # fmt: skip
    """Run a program and return its end; ScriptNotStarted where it cannot be started.

    It has `folder` as its current folder, no other variable than those of `environment`, an empty standard input, no
    further descriptor, the umask 077, and no way to more privileges; `user` is another user to run it as, which needs
    the rights of root. `on_lines` gets what it writes while it runs. It leads a process group of its own, so that no
    signal to the hub's reaches it, and dies with this process. After its time, or an interrupt, the group gets SIGTERM,
    and SIGKILL where it has not ended within `limits.grace`.

    Nothing that it started is left when this returns, also what left its process group: orphans come to this process,
    which ends all that it did not have before. Where this process is killed, the fork server or its guardian ends them.
    """
    others = set(descendants.children())
    descendants.adopt_orphans()
    program = _start(command, folder, environment, Confinement(limits), user)
    assert program.stdout is not None
    assert program.stderr is not None
    with program.stdout as stdout, program.stderr as stderr:
        output = Output(limits.output, on_lines, limits.lines)
        streams = [
            OutputStream("stdout", stdout.fileno(), output),
            OutputStream("stderr", stderr.fileno(), output),
        ]
        try:
            reason = _Watch(program, streams, limits).run(interrupt)
        finally:
            _kill(program)
            descendants.end_children(others)
        for stream in streams:
            stream.end()
    return ScriptEnd(program.returncode, output.cut, reason)


def _start(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], confinement: Confinement, user: str | None
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(  # noqa: S603 -- the operator's own program
            list(command),
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            umask=_UMASK,
            process_group=0,
            preexec_fn=confinement.apply,  # noqa: PLW1509 -- calls the kernel alone
            **user_arguments(user),
        )
    except KeyError as error:
        raise ScriptNotStarted(f"there is no user {user}") from error
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        # What `preexec_fn` raises arrives without its text.
        reason = (isinstance(error, OSError) and error.strerror) or str(error)
        as_user = f" as the user {user}" if user else ""
        raise ScriptNotStarted(f"{command[0]} cannot be started{as_user}: {reason}") from error


def _kill(program: subprocess.Popen[bytes]) -> None:
    """Kill a program and its group, and wait for its own end."""
    if program.returncode is None:
        # The whole group at once: a process that forks without a pause is hard to catch by its number. The program has
        # not been waited for, so that no other group can have its number.
        with contextlib.suppress(OSError):
            os.killpg(program.pid, signal.SIGKILL)
        program.kill()
        program.wait()


class _Watch:
    """Look after a program that runs: its output, its time, and the request to stop."""

    def __init__(self, program: subprocess.Popen[bytes], streams: Iterable[OutputStream], limits: Limits) -> None:
        self._program = program
        self._streams = {stream.descriptor: stream for stream in streams}
        self._limits = limits

    def run(self, interrupt: Interrupt) -> Reason:
        """Return once the program has ended, or has had its grace since it was asked to end for the reason returned."""
        deadline = time.monotonic() + self._limits.seconds
        ended = os.pidfd_open(self._program.pid)
        try:
            with selectors.DefaultSelector() as selector:
                for descriptor in (ended, *self._streams):
                    selector.register(descriptor, selectors.EVENT_READ)
                while ended not in self._read(selector):
                    if interrupt.is_set():
                        self._terminate(selector, ended)
                        return "stopped"
                    if time.monotonic() > deadline:
                        self._terminate(selector, ended)
                        return "time"
        finally:
            os.close(ended)
        return ""

    def _read(self, selector: selectors.BaseSelector, within: float = _LOOK_EVERY_S) -> set[int]:
        """Wait a while for output and for the program's end, read what is there; return what was ready."""
        ready = {key.fd for key, _ in selector.select(within)}
        for descriptor in ready & self._streams.keys():
            if not self._streams[descriptor].read():
                selector.unregister(descriptor)
        return ready

    def _terminate(self, selector: selectors.BaseSelector, ended: int) -> None:
        """Ask the whole group to end, and return once it has or its grace is over."""
        try:
            os.killpg(self._program.pid, signal.SIGTERM)
        except ProcessLookupError:
            self._program.terminate()
        until = time.monotonic() + self._limits.grace
        over = False
        while time.monotonic() < until:
            if ended in self._read(selector, _LOOK_AT_GROUP_EVERY_S):
                over = True
                # What has ended stays ready.
                selector.unregister(ended)
            if over and self._group_is_over():
                return

    def _group_is_over(self) -> bool:
        """Return whether no process of the group is left; ended ones of it are collected."""
        if self._program.poll() is None:
            return False
        try:
            while os.waitpid(-self._program.pid, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return True
        return False
