"""Keep the garbage collector away from objects that live as long as the process, and freed blocks in the process."""

import ctypes
import gc
from typing import Final

# Requests and events make many objects that reference counting frees a moment later.
_YOUNG: Final = 10_000
# Parameters of mallopt(3), and the sizes in bytes that they get.
_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
_ARENA_MAX: Final = -8
_KEPT: Final = 64 << 20


def freeze_gc() -> None:
    """Exclude all objects that exist now from later collections; called when a process has built its application."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, *gc.get_threshold()[1:])


def keep_freed_blocks() -> None:
    """Let blocks of a file reuse the memory of earlier ones; called by processes that move large files.

    glibc returns each block of a MiB to the system and maps it anew: a page fault for every 4 KiB that are moved. A
    process keeps some 64 MiB at most: all threads allocate from one arena, because each would keep as much. Nothing
    happens with another C library.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, 32 << 20)
        mallopt(_TRIM_THRESHOLD, _KEPT)
        mallopt(_ARENA_MAX, 1)
