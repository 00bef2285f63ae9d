"""The one worker of a SQLite database, and those who ask for it."""

import threading

import pytest

from diplomat_svc.operations.alone import OnlyOne
from mft_common.errors import MftError


def test_a_worker_gets_in_while_readiness_asks_for_it(tmp_path):
    """Whoever asks who works takes nothing, so that a worker which starts in that moment is not turned away."""
    asker, over = OnlyOne(tmp_path / "worker"), threading.Event()

    def ask():
        while not over.is_set():
            try:
                asker.owner()
            except MftError:
                continue

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        for number in range(500):
            worker = OnlyOne(tmp_path / "worker")
            assert worker.enter(str(number))
            worker.leave()
    finally:
        over.set()
        thread.join()


def test_a_second_worker_is_turned_away_and_the_first_is_named(tmp_path):
    """One at a time, and the next as soon as the first has left."""
    first, second = OnlyOne(tmp_path / "worker"), OnlyOne(tmp_path / "worker")
    first.enter("first")
    with pytest.raises(MftError, match="another worker"):
        second.enter("second")
    assert second.owner() == "first"
    first.leave()
    with pytest.raises(MftError, match="no worker"):
        second.owner()
    second.enter("second")
    assert first.owner() == "second"
    second.leave()
