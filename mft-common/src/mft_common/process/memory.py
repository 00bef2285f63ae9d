"""Keep the garbage collector away from objects that live as long as the process."""

import gc
from typing import Final

# Requests and events make many objects that reference counting frees a moment later.
_YOUNG: Final = 10_000


def freeze_gc() -> None:
    """Exclude all objects that exist now from later collections; called when a process has built its application."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, *gc.get_threshold()[1:])
