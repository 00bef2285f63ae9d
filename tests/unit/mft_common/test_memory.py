"""Memory of processes that move large files."""

import subprocess
import sys

MOVES = """
import resource, sys, threading
from mft_common.process import memory

if sys.argv[1] == "kept":
    memory.keep_freed_blocks()

def move():
    with open("/dev/zero", "rb", buffering=0) as file:
        for _ in range(50):
            blocks = [file.read(1 << 20) for _ in range(8)]
            blocks.clear()

thread = threading.Thread(target=move)
thread.start()
thread.join()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
"""


def faults(how):
    """Return the page faults of a process that reads 400 blocks of a MiB in a thread, eight at a time."""
    done = subprocess.run([sys.executable, "-c", MOVES, how], capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_freed_blocks_are_used_again():
    """A process that keeps them takes a fifth of the page faults at most."""
    assert faults("kept") * 5 < faults("returned")
