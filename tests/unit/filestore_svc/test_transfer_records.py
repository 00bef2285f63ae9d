"""Records of transfers that nobody waits for, while the database comes and goes."""

import pytest

from filestore_svc.operations.transfers import TransferRecorder
from mft_common.errors import Unavailable
from mft_common.events.catalogue.moves import Outcome
from mft_common.identity import Identity
from mft_common.ids import TransferIds


class Commits:
    """Raises what its script says, call by call, and counts what went well."""

    def __init__(self, *script):
        self.script, self.done = list(script), 0

    def run(self, _work):
        error = self.script.pop(0) if self.script else None
        if error is not None:
            raise error
        self.done += 1


def ended(commits, count):
    """Return the transfers of a process, of which so many have ended."""
    recorder = TransferRecorder(commits, None, TransferIds(), lambda: 1_000)
    for number in range(count):
        transfer = recorder.describe(
            Identity(request_id="r", address="a"), "part1", upload=False, source=f"/in/{number}"
        )
        recorder.end_soon(transfer, Outcome(reason="cut"))
    return recorder


def test_a_database_that_goes_amid_single_records_costs_none():
    """Of three records the group fails, the first is committed alone, and the other two wait for the database."""
    commits = Commits(ValueError("bad"), None, Unavailable("gone"))
    recorder = ended(commits, 3)
    with pytest.raises(Unavailable):
        recorder.flush()
    assert (commits.done, len(recorder._records)) == (1, 2)
    recorder.flush()
    assert (commits.done, len(recorder._records)) == (2, 0)


def test_one_bad_record_takes_no_other_with_it():
    """The group fails, then the bad one alone, and the others are committed."""
    commits = Commits(ValueError("bad"), None, ValueError("bad"), None)
    recorder = ended(commits, 3)
    recorder.flush()
    assert (commits.done, len(recorder._records)) == (2, 0)
