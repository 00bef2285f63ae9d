import re
import threading

import pytest

from mft_common.ids import TransferIds, new_event_id, new_request_id


def test_a_transfer_id_is_48_upper_case_hex_digits_with_the_prefix_in_front():
    """The first 16 bytes are the prefix, padded with blanks."""
    made = TransferIds("AMQ QM1").new()
    assert re.fullmatch(r"[0-9A-F]{48}", made)
    assert bytes.fromhex(made)[:16] == b"AMQ QM1".ljust(16)


def test_transfer_ids_grow_and_never_repeat_under_threads():
    """Eight threads get different ids, each thread growing ones."""
    ids = TransferIds("AMQ QM1")
    lists = [[] for _ in range(8)]
    threads = [threading.Thread(target=lambda mine=mine: mine.extend(ids.new() for _ in range(2000))) for mine in lists]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(mine == sorted(mine) for mine in lists)
    assert len({made for mine in lists for made in mine}) == 16_000


def test_a_prefix_that_does_not_fit_is_refused():
    """A prefix of more than 16 characters cannot be part of an id."""
    with pytest.raises(ValueError, match="at most 16"):
        TransferIds("x" * 17)


def test_request_and_event_ids_differ():
    """Random ids have 32 hex digits and are not the same twice."""
    made = {new_request_id(), new_request_id(), new_event_id(), new_event_id()}
    assert len(made) == 4
    assert all(re.fullmatch(r"[0-9a-f]{32}", one) for one in made)
