"""Keep the garbage collector from what a process has built once and for all."""

import gc
from typing import Final

# Requests and events make many objects that are gone a moment later without its help.
_YOUNG: Final = 10_000


def freeze_gc() -> None:
    """Leave all that is there now out of every later collection: to be called when a process has built its parts."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, *gc.get_threshold()[1:])
