"""Stand between a worker and its fork server, and leave no process of either behind, however they end.

The parent-death signal reaches a direct child alone: a program that a child's program started, and that left its
process group, would outlive all of them. Such orphans come to the guardian, which has a session of its own, so that a
signal to the hub's process group does not reach it. It does nothing but wait: for the end of the worker, of the fork
server, or of `lifeline`, the socket that the worker closes. Then it ends all that descends from it, and itself.
"""

import importlib
import json
import os
import select
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Final

from mft_common.process import descendants

_LEFT_TO_WORKER: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def main(module: str, sockets: tuple[int, int], parent: int, modules: Sequence[str], held: Sequence[int]) -> None:
    """Fork a process that calls `main(control, guardian, modules, held)` of `module`, and guard it.

    `sockets` are the control socket of the fork server, and `lifeline`; `parent` is the worker. `held` are descriptors
    that the guardian keeps open until the last descendant has ended: locks.
    """
    control, lifeline = sockets
    try:
        worker = os.pidfd_open(parent)
    except ProcessLookupError:
        return
    if os.getppid() != parent:
        return
    for number in _LEFT_TO_WORKER:
        # A handler, because an ignored signal would stay ignored in programs.
        signal.signal(number, _leave_to_worker)
    descendants.adopt_orphans()
    guardian = os.getpid()
    pid = os.fork()
    if not pid:
        os.close(worker)
        os.close(lifeline)
        _serve(module, control, guardian, modules, held)
    # A second holder of this socket would hide the server's end from the worker.
    os.close(control)
    os.setsid()
    watched = select.poll()
    for descriptor in (worker, lifeline, os.pidfd_open(pid)):
        watched.register(descriptor, select.POLLIN)
    watched.poll()
    descendants.end_children()


def _serve(module: str, control: int, guardian: int, modules: Sequence[str], held: Sequence[int]) -> None:
    """Run the fork server in the process that was forked for it; it never returns."""
    code = 1
    try:
        importlib.import_module(module).main(control, guardian, modules, held)
        code = 0
    except BaseException as error:  # noqa: BLE001 -- the server never returns into the guardian's code
        print_fault("fork_server.failed", error)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _leave_to_worker(_signal: int, _frame: FrameType | None) -> None:
    """Do nothing: the worker ends its processes, by closing a socket or by dying."""


def print_fault(event: str, error: BaseException) -> None:
    """Write a line about the error that ends this process, which has no log of its own, to stderr."""
    # Imported here: the guardian stays small, and needs it for nothing else.
    from mft_common import logs

    sys.stderr.write(json.dumps({"event": event, **logs.fault(error)}) + "\n")
