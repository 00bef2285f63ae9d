"""The environment of a hub on one machine."""

from crossdock import environment


def test_an_internal_key_that_was_not_written_to_its_end_is_made_anew(tmp_path):
    """A power cut at the first start does not keep the hub from starting ever after."""
    key = tmp_path / "state/gateway/internal.key"
    key.parent.mkdir(parents=True)
    key.touch()
    made = environment.of_one_machine(tmp_path, {}, host="127.0.0.1", demo=False)["MFT_INTERNAL_KEYS"]
    assert len(made) == 64
    assert key.stat().st_mode & 0o777 == 0o600
    again = environment.of_one_machine(tmp_path, {}, host="127.0.0.1", demo=False)["MFT_INTERNAL_KEYS"]
    assert again == made
