"""Records of ended transfers that wait for their commit, while the database comes and goes."""

import threading

import pytest
from structlog.testing import capture_logs

from filestore_svc.domain.client_transfers import Outcome
from filestore_svc.domain.transfers import RunningTransfer
from filestore_svc.operations.transfer_records import RecordQueue, TransferRecord
from filestore_svc.operations.transfers import TransferRecorder
from mft_common.errors import Unavailable
from mft_common.identity import Identity
from tests.servers.processes import wait_until


class Commits:
    """Raises what its script says, call by call, and counts the calls that succeed."""

    def __init__(self, *script):
        self.script, self.done = list(script), 0

    def run(self, _work):
        error = self.script.pop(0) if self.script else None
        if error is not None:
            raise error
        self.done += 1


def waiting(commits, count):
    """Return a queue of the records of so many failed downloads."""
    queue = RecordQueue(commits, lambda: 1_000)
    for number in range(count):
        transfer = RunningTransfer(
            transfer_id=f"{number:048X}", external=False, upload=False, account="part1", address="a", label="",
            request_id="r", submitted_at=900, source=f"/in/{number}",
        )  # fmt: skip
        queue.add(TransferRecord(transfer, Outcome(reason="cut")))
    return queue


def test_a_database_that_goes_away_between_single_records_costs_none_of_them():
    """Of three records the group fails, the first is committed alone, and the other two wait for the database."""
    commits = Commits(ValueError("bad"), None, Unavailable("gone"))
    queue = waiting(commits, 3)
    with pytest.raises(Unavailable):
        queue.flush()
    assert (commits.done, len(queue)) == (1, 2)
    queue.flush()
    assert (commits.done, len(queue)) == (2, 0)


def test_a_bad_record_costs_no_other():
    """The group fails, then the bad record alone, and the others are committed."""
    commits = Commits(ValueError("bad"), None, ValueError("bad"), None)
    queue = waiting(commits, 3)
    queue.flush()
    assert (commits.done, len(queue)) == (2, 0)


class SlowCommits(Commits):
    """Commits once it is told to."""

    def __init__(self):
        super().__init__()
        self.began, self.go_on = threading.Event(), threading.Event()

    def run(self, work):
        self.began.set()
        assert self.go_on.wait(20)
        super().run(work)


def test_a_flush_waits_for_records_that_another_thread_is_committing():
    """A flush that finds no record to take returns only after those that a thread has taken are committed."""
    commits = SlowCommits()
    queue = waiting(commits, 1)
    seen = []
    first = threading.Thread(target=queue.flush)
    second = threading.Thread(target=lambda: (queue.flush(), seen.append(commits.done)))
    first.start()
    assert commits.began.wait(20)
    second.start()
    second.join(0.2)
    assert seen == []
    commits.go_on.set()
    first.join()
    second.join()
    assert seen == [1]


class Local:
    """The processes of one machine, whose locks show that they live."""

    local = True


class Ids:
    def new(self):
        return "0" * 48


def test_a_database_that_is_away_is_asked_less_and_less_often():
    """The pause doubles with each attempt that fails, and each attempt is one line of the log without a traceback."""

    def away():
        raise Unavailable("the disk is full")

    recorder = TransferRecorder(Commits(), Local(), Ids(), lambda: 1_000, each_tick=[away])
    with capture_logs() as lines:
        recorder.begin(Identity(request_id="r", address="a"), "part1", upload=False, source="/in/a")
        wait_until(lambda: len(lines) == 3, what="three attempts")
        recorder.close()
    assert [(line["event"], line["pause"]) for line in lines[:3]] == [
        ("records.waiting", pause) for pause in (0.2, 0.4, 0.8)
    ]
    assert not any("exc_info" in line for line in lines)
