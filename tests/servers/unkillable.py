"""Keep a process from ending although it was killed, as one that waits for a disk which does not answer."""

import contextlib
import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

_SEIZE, _DETACH, _TRACE_EXIT, _ANY_CHILD = 0x4206, 17, 0x40, 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long


def _ptrace(request: int, pid: int, data: int) -> None:
    if _libc.ptrace(request, pid, None, data):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


@contextlib.contextmanager
def unkillable(pid: int) -> Iterator[None]:
    """Let a process that is killed within the block end only after it; the block runs in one thread."""
    _ptrace(_SEIZE, pid, _TRACE_EXIT)
    try:
        yield
    finally:
        # It has stopped at its exit, or is killed now.
        if Path(f"/proc/{pid}").exists():
            os.kill(pid, 9)
            os.waitpid(pid, _ANY_CHILD)
            _ptrace(_DETACH, pid, 0)
