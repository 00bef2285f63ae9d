"""Run a program of the operator's within a child, with limits on its time, its memory and its output."""

import functools
import os
import resource
import selectors
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol

from mft_common.process import descendants
from mft_common.process.parent_death import die_with_parent

_READ: Final = 1 << 16
_LOOK_EVERY_S: Final = 0.1

Reason = Literal["", "time", "stopped"]


class Interrupt(Protocol):
    """The request to stop; a child's `Channel.interrupt` is one."""

    def is_set(self) -> bool:
        """Return True once the program is to be ended."""
        ...


@dataclass(frozen=True, kw_only=True)
class Limits:
    """`seconds` for the whole run, `memory` in bytes of address space for each process (None: no limit).

    `output` bytes of what it writes are kept; the program goes on writing, and the rest is dropped.
    """

    seconds: float = 60.0
    memory: int | None = None
    output: int = 1 << 20


@dataclass(frozen=True)
class ScriptEnd:
    """How a program ended: its exit code (negative for a signal), its output, and the reason why it was ended."""

    exit_code: int
    output: bytes
    cut: bool = False
    ended_for: Reason = ""


def run_script(
    command: Sequence[str], *, folder: Path, environment: Mapping[str, str], limits: Limits, interrupt: Interrupt
) -> ScriptEnd:
    """Run a program and return its end; OSError where it cannot be started.

    Standard output and error are one. It leads a process group of its own, so that no signal to the hub's reaches it,
    and dies with this process. Nothing that it started is left when this returns, also what left its process group:
    orphans come to this process, which ends all that it did not have before. Where this process is killed, the fork
    server or its guardian ends them.
    """
    others = set(descendants.children())
    descendants.adopt_orphans()
    program = subprocess.Popen(  # noqa: S603 -- the operator's own program
        list(command),
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        process_group=0,
        preexec_fn=functools.partial(_confine, os.getpid(), limits.memory),  # noqa: PLW1509 -- calls the kernel alone
    )
    assert program.stdout is not None
    with program.stdout as pipe:
        os.set_blocking(pipe.fileno(), False)
        output = _Output(pipe.fileno(), limits.output)
        try:
            reason = _watch(program.pid, output, time.monotonic() + limits.seconds, interrupt)
        finally:
            program.kill()
            program.wait()
            descendants.end_children(others)
        output.read()
    return ScriptEnd(program.returncode, bytes(output.kept), output.cut, reason)


def _confine(parent: int, memory: int | None) -> None:
    """Prepare the forked process before the program begins."""
    die_with_parent(parent)
    if memory is not None:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class _Output:
    """The output of a program, up to a limit."""

    def __init__(self, descriptor: int, limit: int) -> None:
        self.kept = bytearray()
        self.cut = False
        self.descriptor = descriptor
        self._limit = limit

    def read(self) -> bool:
        """Read all that is there; False at the end of the stream."""
        while True:
            try:
                block = os.read(self.descriptor, _READ)
            except BlockingIOError:
                return True
            if not block:
                return False
            room = self._limit - len(self.kept)
            self.kept += block[:room]
            self.cut = self.cut or len(block) > room


def _watch(pid: int, output: _Output, deadline: float, interrupt: Interrupt) -> Reason:
    """Read output until the program has ended, or is to be ended for the reason returned."""
    ended = os.pidfd_open(pid)
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(ended, selectors.EVENT_READ)
            selector.register(output.descriptor, selectors.EVENT_READ)
            while True:
                ready = {key.fd for key, _ in selector.select(_LOOK_EVERY_S)}
                if ended in ready:
                    return ""
                if interrupt.is_set():
                    return "stopped"
                if time.monotonic() > deadline:
                    return "time"
                if ready and not output.read():
                    selector.unregister(output.descriptor)
    finally:
        os.close(ended)
