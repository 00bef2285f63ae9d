import pytest

from crossdock import deadletters
from crossdock.errors import CannotStart


def test_a_data_folder_without_databases_is_named_and_left_alone(tmp_path):
    """A hub that never started has no dead letters to list, and the command creates no database."""
    (tmp_path / "state").mkdir()
    with pytest.raises(CannotStart, match=r"no database of gateway at .*gateway\.db"):
        list(deadletters.listing(tmp_path, {}, None))
    with pytest.raises(CannotStart, match="no database"):
        deadletters.replay(tmp_path, {}, "mqmft-svc", None)
    with pytest.raises(CannotStart, match="MQMFT_TRANSFERLOG_URL names no broker"):
        list(deadletters.listing(tmp_path, {}, "transferlog"))
    with pytest.raises(CannotStart, match="MQMFT_TRANSFERLOG_URL names no broker"):
        deadletters.replay(tmp_path, {}, "transferlog", None)
    assert list((tmp_path / "state").rglob("*.db")) == []
