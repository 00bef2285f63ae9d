"""`crossdock apply` and the hub that answers it, with the hub's side played by this test."""

import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from crossdock import applying
from crossdock.errors import CannotStart
from mft_common.errors import ConfigError
from tests.servers.processes import wait_until

# A hub that holds the lock of a data folder and answers requests, each a while after it saw it.
HUB = """
import os, signal, sys
from pathlib import Path
from crossdock import applying
from mft_common.process import file_locks
state = Path(sys.argv[1])
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
lock = (state / "hub.lock").open("a+")
assert file_locks.acquire(lock.fileno())
lock.truncate(0)
lock.write(str(os.getpid()))
lock.flush()
while True:
    if signal.sigtimedwait([signal.SIGUSR1], 0.05) is not None:
        request, file = applying.requested(state)
        signal.sigtimedwait([signal.SIGTERM], 0.4)
        answers = {"bad.yaml": (["a problem"], ""), "worse.yaml": ([], "the disk is full")}
        applying.answer(state, request, *answers.get(file.name, ()))
"""


@pytest.fixture
def data(tmp_path):
    """Return the data folder of a hub that runs."""
    state = tmp_path / "state"
    state.mkdir()
    hub = subprocess.Popen([sys.executable, "-c", HUB, str(state)], start_new_session=True)
    lock = state / "hub.lock"
    wait_until(lambda: lock.exists() and lock.read_text() == str(hub.pid), what="a hub")
    yield tmp_path
    hub.kill()
    hub.wait(60)


def test_two_that_apply_at_once_are_both_answered(data):
    """Each hears about its own file, whichever came first."""

    def ask(name):
        try:
            applying.ask(data, Path(name))
        except ConfigError as error:
            return error.problems
        return []

    with ThreadPoolExecutor(4) as threads:
        names = ["good.yaml", "bad.yaml", "better.yaml", "bad.yaml"]
        assert list(threads.map(ask, names)) == [[], ["a problem"], [], ["a problem"]]


def test_a_failure_outside_of_the_file_is_reported(data):
    """It is no problem of the configuration, and the text says what it is."""
    with pytest.raises(CannotStart, match="full"):
        applying.ask(data, Path("worse.yaml"))


def test_a_request_that_an_earlier_run_left_is_forgotten(data):
    """A hub does not apply at its start a file that was named to the one before it."""
    state = data / "state"
    (state / "apply.request").write_text(json.dumps({"id": "old", "file": "/old.yaml"}))
    assert applying.requested(state) == ("old", Path("/old.yaml"))
    applying.clear(state)
    assert applying.requested(state) is None


def test_without_a_hub_it_says_so(tmp_path):
    """A lock file that nothing holds names no process to signal."""
    (tmp_path / "state").mkdir()
    (tmp_path / "state/hub.lock").write_text(str(os.getpid()))
    heard = threading.Event()
    former = signal.signal(signal.SIGUSR1, lambda *_: heard.set())
    try:
        with pytest.raises(CannotStart, match="no hub runs"):
            applying.ask(tmp_path, Path("any.yaml"))
    finally:
        signal.signal(signal.SIGUSR1, former)
    assert not heard.is_set()
