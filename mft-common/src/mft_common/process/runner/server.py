"""The fork server: a small process without threads that has imported what children need, and forks them.

The worker sends a request with two descriptors: the child's socket, and a pipe on which the server writes the child's
process id and, once it and all that it started have ended, its exit code.
"""

import gc
import importlib
import os
import selectors
import signal
import socket
import struct
import sys
import time
from collections.abc import Sequence
from types import FrameType
from typing import Final

from mft_common.process import descendants
from mft_common.process.guardian import print_fault
from mft_common.process.parent_death import die_with_parent
from mft_common.process.runner import child

NUMBER: Final = struct.Struct("q")
_LOOK_AGAIN_S: Final = 0.005
# How long the end of a child waits for the ends of what it started: a process in the middle of a disk's call may hang.
_ORPHANS_WITHIN_S: Final = 1.0


def main(control: int, guardian: int, modules: Sequence[str], held: Sequence[int]) -> None:
    """Serve until the worker closes its end of `control`, or dies, or until the guardian dies.

    Children keep `held` open, their programs do not.
    """
    watched = os.pidfd_open(guardian)
    if os.getppid() != guardian:
        return
    descendants.adopt_orphans()
    for descriptor in (control, *held):
        os.set_inheritable(descriptor, False)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _leave_to_worker)
    for module in modules:
        importlib.import_module(module)
    # What is imported is never freed: without this, a child's collector would touch and so copy all its pages.
    gc.collect()
    gc.freeze()
    ForkServer(socket.socket(fileno=control), watched).run()
    descendants.end_children()


class ForkServer:
    """Forks a child for each request, and tells the worker how each one ended."""

    def __init__(self, control: socket.socket, guardian: int) -> None:
        self._control = control
        self._guardian = guardian
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ)
        self._selector.register(guardian, selectors.EVENT_READ)
        # The child's process id and status pipe, by the descriptor that is readable once it has ended.
        self._children: dict[int, tuple[int, int]] = {}
        # The status pipe of a child that has ended, its exit code, and until when they wait for its orphans.
        self._ended: list[tuple[int, int, float]] = []

    def run(self) -> None:
        """Serve until the end of the control socket or of the guardian."""
        orphans = False
        while True:
            for key, _ in self._selector.select(_LOOK_AGAIN_S if orphans else None):
                if key.fd in self._children:
                    self._reap(key.fd)
                elif key.fd == self._guardian or not self._accept():
                    return
            if self._ended or orphans:
                orphans = self._end_orphans()

    def _accept(self) -> bool:
        request, descriptors, _, _ = socket.recv_fds(self._control, 1, 2)
        if not request:
            return False
        connection, status = descriptors
        try:
            self._fork(connection, status)
        except OSError as error:
            _write(status, -(error.errno or 1))
            os.close(status)
        finally:
            os.close(connection)
        return True

    def _fork(self, connection: int, status: int) -> None:
        server = os.getpid()
        pid = os.fork()
        if not pid:
            self._run_child(server, connection, status)
        _write(status, pid)
        ended = os.pidfd_open(pid)
        self._children[ended] = (pid, status)
        self._selector.register(ended, selectors.EVENT_READ)

    def _run_child(self, server: int, connection: int, status: int) -> None:
        code = child.FAILED
        try:
            die_with_parent(server)
            self._selector.close()
            self._control.close()
            os.close(self._guardian)
            os.close(status)
            for ended, (_, pipe) in self._children.items():
                os.close(ended)
                os.close(pipe)
            for pipe, _, _ in self._ended:
                os.close(pipe)
            descendants.adopt_orphans()
            code = child.run(connection)
        except BaseException as error:  # noqa: BLE001 -- a child never returns into the server's loop
            print_fault("child.failed", error)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _reap(self, ended: int) -> None:
        pid, status = self._children.pop(ended)
        self._selector.unregister(ended)
        os.close(ended)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        self._ended.append((status, code, time.monotonic() + _ORPHANS_WITHIN_S))

    def _end_orphans(self) -> bool:
        """Kill the orphans of ended children, and report the ends that no longer wait; return whether any is left.

        Orphans of a living child stay with it, so every process here that is no child of ours belonged to a dead one.
        """
        left = descendants.kill_children({pid for pid, _ in self._children.values()})
        now, waiting = time.monotonic(), []
        for status, code, until in self._ended:
            if left and now < until:
                waiting.append((status, code, until))
            else:
                _write(status, code)
                os.close(status)
        self._ended = waiting
        return left


def _write(status: int, number: int) -> None:
    try:
        os.write(status, NUMBER.pack(number))
    except BrokenPipeError:
        # The worker no longer asks about this child.
        return


def _leave_to_worker(_signal: int, _frame: FrameType | None) -> None:
    """Do nothing: the worker ends the server, by closing its socket or by dying."""
