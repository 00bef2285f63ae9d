"""Run one piece of work in a child that the fork server has just forked."""

import importlib
import signal
import socket
from collections.abc import Callable
from types import FrameType

from mft_common import logs
from mft_common.process import memory
from mft_common.process.runner.channel import Channel
from mft_common.process.runner.messages import ENDED, Json, Stream

FAILED = 1


def run(connection: int) -> int:
    """Run the work that the first message names; return the exit code of this process.

    The work is a function of a Channel and a payload; what it returns is the data of `ended`. A function that raises
    ends its child with FAILED, and `ended` says so. The child stays in the process group of the hub.
    """
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # Only the worker ends its children. A handler, because an ignored signal would stay ignored in programs.
        signal.signal(number, _leave_to_worker)
    stream = Stream(socket.socket(fileno=connection))
    order = stream.receive()
    if order is None:
        return FAILED
    logs.configure(order["service"], order["level"])
    memory.keep_freed_blocks()
    channel = Channel(stream)
    channel.listen()
    with logs.request_scope(order["request_id"]):
        try:
            result = resolve(order["target"])(channel, order["payload"])
            stream.send({"kind": ENDED, "data": result})
        except Exception as error:  # noqa: BLE001 -- the worker ends the work whatever the fault was
            logs.get("child").error("child.failed", target=order["target"], exc_info=error)
            stream.send({"kind": ENDED, "data": None, "error": logs.fault_name(error)})
            return FAILED
    return 0


def resolve(target: str) -> Callable[[Channel, Json], Json]:
    """Return the function that `package.module:function` names."""
    module, _, name = target.partition(":")
    function: Callable[[Channel, Json], Json] = getattr(importlib.import_module(module), name)
    return function


def _leave_to_worker(_signal: int, _frame: FrameType | None) -> None:
    """Do nothing."""
