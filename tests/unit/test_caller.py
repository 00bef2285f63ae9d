"""The tests do not depend on the shell that starts them."""

import os
import signal
import subprocess
import sys
from pathlib import Path

CALLER = 'trap \'\' INT; umask 077; exec "$0" -m pytest -q -p no:cacheprovider "$1" -k has_its_own_umask'


def test_a_test_process_has_its_own_umask_and_hears_an_interrupt():
    """Files of the tests have the permissions that they assert, and programs that they start can be interrupted."""
    before = os.umask(0o022)
    assert before == 0o022
    assert signal.getsignal(signal.SIGINT) is not signal.SIG_IGN


def test_the_same_holds_where_the_caller_ignores_interrupts_and_has_another_umask():
    """As a shell that runs the tests in the background, for an account whose files are private."""
    root = Path(__file__).parents[2]
    command = ["bash", "-c", CALLER, sys.executable, __file__]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout
