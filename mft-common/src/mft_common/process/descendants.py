"""Find and end the processes that descend from this one, orphans included.

A process that has called `adopt_orphans` becomes the parent of each descendant whose own parent has ended, also of one
that left the process group and the session (`PR_SET_CHILD_SUBREAPER`, Linux).
"""

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final

_PR_SET_CHILD_SUBREAPER: Final = 36
_PAUSE_S: Final = 0.005
# The errors of a process that is gone, or that may not be looked at (hidepid).
_HIDDEN: Final = (FileNotFoundError, ProcessLookupError, PermissionError)
# Loaded once: a process that was just forked must not load libraries.
_prctl: Final = ctypes.CDLL(None, use_errno=True).prctl


def adopt_orphans() -> None:
    """Become the parent of every descendant that loses its own; programs that are executed keep this, forks do not."""
    if _prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "orphans cannot be adopted")


def children(pid: int | None = None) -> list[int]:
    """Return the children of a process, this one by default, ended ones included; none of a process that is gone.

    None either of one that another user's program became, where the system hides it. OSError where they cannot be read
    for a while, because no descriptor is free for example.
    """
    found: list[int] = []
    tasks = Path(f"/proc/{pid or os.getpid()}/task")
    # Both the process and any of its threads may end between two steps.
    with contextlib.suppress(*_HIDDEN):
        for task in list(tasks.iterdir()):
            with contextlib.suppress(*_HIDDEN):
                found += map(int, (task / "children").read_text(encoding="ascii").split())
    return found


def with_descendants(pids: Iterable[int]) -> list[int]:
    """Return processes and all that descend from them, each before its children."""
    found: list[int] = []
    # No recursion: a chain of processes may be longer than Python's stack.
    waiting = [*pids]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting += children(pid)
    return found


def kill_children(spare: Collection[int] = ()) -> bool:
    """Kill all children but those of `spare`, and all that descend from them; return whether any may be left.

    Ends of children are collected. Descendants become children as their parents end: call it until none is left. A
    program that another user runs (by sudo) may not be killed, and does not count.
    """
    try:
        found = [pid for pid in children() if pid not in spare]
        known = with_descendants(found)
    except OSError:
        return True
    foreign = set()
    for pid in known:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        except PermissionError:
            foreign.add(pid)
    for pid in found:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
    return not foreign.issuperset(found)


def end_children(spare: Collection[int] = ()) -> None:
    """Kill as `kill_children` does, and return once none is left."""
    while kill_children(spare):
        time.sleep(_PAUSE_S)
