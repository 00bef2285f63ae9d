"""Ask the kernel to kill a process when its parent dies, so that no kill -9 leaves part of a hub behind.

The signal follows the *thread* that forked: the parent forks from a thread that lives as long as the process.
"""

import ctypes
import os
import signal
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
# Loaded once: a process that was just forked must not load libraries.
_prctl: Final = ctypes.CDLL(None, use_errno=True).prctl


def die_with_parent(parent: int | None = None) -> None:
    """Let SIGKILL follow the parent's death; a process whose parent is no longer `parent` ends here and now."""
    if _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "the parent-death signal cannot be set")
    if parent is not None and os.getppid() != parent:
        os._exit(1)
