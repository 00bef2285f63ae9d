"""The entries of files of a folder."""

import os
import stat

import pytest

from mft_common import clock
from mft_common.endpoints.file_listing import entry_of
from mft_common.events import Item, Side, Totals, TransferProgressed


def _status(milliseconds):
    """Return the status of a file that was changed at a time."""
    seconds, rest = divmod(milliseconds, 1000)
    values = (stat.S_IFREG, 1, 2, 1, 0, 0, 3, seconds, seconds, seconds)
    nanoseconds = milliseconds * 1_000_000
    return os.stat_result(values, {"st_mtime_ns": nanoseconds, "st_ctime_ns": nanoseconds, "st_mtime": seconds + rest})


@pytest.mark.parametrize(
    ("time", "known"),
    [
        *((0, 0), (-1, -1), (clock.FIRST_MS, clock.FIRST_MS), (clock.FIRST_MS - 1, None)),
        *((clock.LAST_MS, clock.LAST_MS), (clock.LAST_MS + 1, None), (2**43 * 1000, None)),
    ],
)
def test_a_time_beyond_the_years_1_to_9999_is_not_known(time, known):
    """Some file systems keep such times, and no event can hold them."""
    entry = entry_of("a", _status(time))
    assert entry.modified_at == known
    side = Side(path="a", modified_at=entry.modified_at)
    item = Item(index=0, state="successful", source=side, destination=side)
    TransferProgressed(transfer_id="0" * 48, protocol="p", state="inProgress", totals=Totals(), items=(item,)).to_json()
    assert str(time * 1_000_000) in entry.version
