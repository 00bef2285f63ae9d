"""The answer of the tests' servers to whether a process still runs."""

import subprocess
import sys
from pathlib import Path

from tests.servers.processes import is_running, wait_until

# Its first thread ends; the second one reads until the input is closed.
PROGRAM = """
import ctypes, sys, threading
threading.Thread(target=sys.stdin.buffer.read).start()
ctypes.CDLL(None).pthread_exit(None)
"""


def test_a_process_runs_until_the_last_of_its_threads_has_ended():
    """A process shows as a zombie once its first thread has ended, and cannot be reaped while another one runs."""
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE) as process:
        state = Path(f"/proc/{process.pid}/stat")
        wait_until(lambda: state.read_text().rpartition(")")[2].split()[0] == "Z", what="the end of the first thread")
        assert is_running(process.pid)
        assert process.poll() is None
        process.stdin.close()
        wait_until(lambda: not is_running(process.pid), what="the end of the second thread")
        assert process.poll() == 0
        assert not is_running(process.pid)
