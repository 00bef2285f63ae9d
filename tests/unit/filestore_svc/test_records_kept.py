"""Records of transfers that nobody waits for, while the database comes and goes."""

import pytest

from filestore_svc.operations.moves import Moves
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
    moves = Moves(commits, None, TransferIds(), lambda: 1_000)
    for number in range(count):
        move = moves.describe(Identity(request_id="r", address="a"), "part1", upload=False, source=f"/in/{number}")
        moves.end_soon(move, Outcome(reason="cut"))
    return moves


def test_a_database_that_goes_amid_single_records_costs_none():
    """Of three records the group fails, the first is committed alone, and the other two wait for the database."""
    commits = Commits(ValueError("bad"), None, Unavailable("gone"))
    moves = ended(commits, 3)
    with pytest.raises(Unavailable):
        moves.flush()
    assert (commits.done, len(moves._records)) == (1, 2)
    moves.flush()
    assert (commits.done, len(moves._records)) == (2, 0)


def test_one_bad_record_takes_no_other_with_it():
    """The group fails, then the bad one alone, and the others are committed."""
    commits = Commits(ValueError("bad"), None, ValueError("bad"), None)
    moves = ended(commits, 3)
    moves.flush()
    assert (commits.done, len(moves._records)) == (2, 0)
