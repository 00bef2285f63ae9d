"""Finding the processes that descend from another while they begin and end (`mft_common.process.descendants`)."""

import os
import subprocess

from mft_common.process.descendants import children, with_descendants

# 800 children one after the other: a reader finds most of them on their way out.
BRIEF_CHILDREN = "i=0; while [ $i -lt 800 ]; do (:; :); i=$((i + 1)); done"


def test_processes_that_end_while_they_are_found_are_no_error():
    """The folder of a process goes away between two steps of reading it."""
    parents = [subprocess.Popen(["sh", "-c", BRIEF_CHILDREN]) for _ in range(2)]
    pids = [parent.pid for parent in parents]
    seen = set()
    while any(parent.poll() is None for parent in parents):
        seen.update(with_descendants(pids))
    assert len(seen) > len(pids)
    assert set(pids).isdisjoint(children(os.getpid()))


def test_a_process_that_is_gone_has_no_children():
    """Whoever collected its end may still ask."""
    gone = subprocess.Popen(["true"])
    gone.wait()
    assert children(gone.pid) == []
    assert with_descendants([gone.pid]) == [gone.pid]
