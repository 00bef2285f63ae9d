import pytest

from gateway.settings import Settings
from mft_common.settings import SettingsError

LEAST = {"GATEWAY_DATABASE_URL": "sqlite:///g.db", "MFT_INTERNAL_KEYS": "old, new"}


def test_least():
    """A database and a key are enough; the internal API is closed then."""
    settings = Settings.from_env(LEAST)
    assert settings.internal_keys == ("old", "new")
    assert settings.internal_port is None
    assert settings.trust == "networks"


@pytest.mark.parametrize(("name", "trust"), [("MFT_DEMO", "any"), ("GATEWAY_LOOPBACK_ONLY", "loopback")])
def test_trust(name, trust):
    """The demonstration and a hub on loopback let accounts be trusted without networks."""
    assert Settings.from_env({**LEAST, name: "1"}).trust == trust


def test_problems_together():
    """All missing and malformed settings are reported at once, without secrets."""
    with pytest.raises(SettingsError) as failed:
        Settings.from_env({"GATEWAY_INTERNAL_PORT": "many", "GATEWAY_UNKNOWN_USERS": "wave"})
    assert len(failed.value.problems) == 4


def test_keys_are_not_shown():
    """The keys do not appear where settings are printed."""
    assert "new" not in repr(Settings.from_env(LEAST))
