"""The applied configuration in a service's database, on both kinds of it."""

import datetime
import threading

import pytest
import sqlalchemy as sa

from mft_common import applied_configuration
from mft_common.applied_configuration import AppliedConfiguration, ConfigurationFollower
from mft_common.config import Reader
from mft_common.errors import ConfigError
from tests.servers.databases import with_tables

METADATA = sa.MetaData()
APPLIED = AppliedConfiguration(METADATA, "diplomat", "endpoints")


@pytest.fixture
def database(database_url):
    """A database with the table as a migration makes it."""
    with with_tables(database_url, METADATA, applied_configuration.create_table) as made:
        yield made


class _Parsed:
    """Counts how often a configuration was parsed; refuses one whose section `diplomat` says so."""

    def __init__(self):
        self.times = 0

    def __call__(self, document, reader):
        self.times += 1
        if document.get("diplomat", {}).get("refuse"):
            raise ConfigError(["diplomat.refuse: was asked for"])
        return document, reader.folder


def _store(database, document, folder=None):
    with database.write() as connection:
        APPLIED.store(connection, document, folder)


def _refresh(database, follower):
    with database.read() as connection:
        return follower.refresh(connection)


def test_a_follower_gets_the_sections_of_its_service_as_they_were_written(database, tmp_path):
    """Dates stay dates, other services' sections stay away, and references keep their folder."""
    document = {"diplomat": {"license": {"valid_until": datetime.date(2030, 1, 31)}}, "accounts": {"a": {}}}
    _store(database, document, tmp_path)
    follower = ConfigurationFollower(APPLIED, _Parsed(), None, Reader(tmp_path / "elsewhere", {}))
    assert _refresh(database, follower) == ({"diplomat": document["diplomat"]}, tmp_path)


def test_a_configuration_is_parsed_once_a_revision(database, tmp_path):
    """The same configuration stored again, by each process at its start, changes nothing."""
    parsed = _Parsed()
    follower = ConfigurationFollower(APPLIED, parsed, "built with", Reader(tmp_path, {}))
    assert _refresh(database, follower) == "built with"
    for _ in range(3):
        _store(database, {"diplomat": {"jobs": {"at_once": 2}}})
        _refresh(database, follower)
    assert parsed.times == 1
    _store(database, {})
    assert _refresh(database, follower)[0] == {}
    assert parsed.times == 2


def test_a_configuration_that_cannot_be_used_leaves_the_former_one_in_force(database, tmp_path):
    """It is reported once, and the next good one is taken."""
    parsed = _Parsed()
    follower = ConfigurationFollower(APPLIED, parsed, "built with", Reader(tmp_path, {}))
    _store(database, {"diplomat": {"refuse": True}})
    assert [_refresh(database, follower), _refresh(database, follower)] == ["built with", "built with"]
    assert parsed.times == 1
    _store(database, {"endpoints": {"x": {"url": "file:a"}}})
    assert _refresh(database, follower)[0] == {"endpoints": {"x": {"url": "file:a"}}}


def test_the_slower_of_two_refreshes_leaves_no_former_configuration(database, tmp_path):
    """Consumers share a follower: one that read revision 1 ends in the midst of another's refresh to revision 2."""
    parsed, stored, ended = threading.Event(), threading.Event(), threading.Event()

    def parse(document, _reader):
        number = document["diplomat"]["number"]
        if number == 1:
            parsed.set()
            assert stored.wait(60)
        return number

    class _Interrupted(ConfigurationFollower):
        """Lets the slower thread end after the first attribute that the faster one assigns in its refresh."""

        def __setattr__(self, name, value):
            super().__setattr__(name, value)
            if threading.current_thread() is faster and not stored.is_set():
                stored.set()
                assert ended.wait(60)

    def refresh_slowly():
        _refresh(database, follower)
        ended.set()

    slower = threading.Thread(target=refresh_slowly)
    faster = threading.Thread(target=lambda: _refresh(database, follower))
    follower = _Interrupted(APPLIED, parse, 0, Reader(tmp_path, {}))
    _store(database, {"diplomat": {"number": 1}})
    slower.start()
    assert parsed.wait(60)
    _store(database, {"diplomat": {"number": 2}})
    faster.start()
    for thread in (slower, faster):
        thread.join(20)
    assert _refresh(database, follower) == 2


def test_a_value_whose_secret_is_missing_is_not_used(database, tmp_path):
    """A parser that only collects problems in its reader leaves the former configuration in force as well."""

    def parse(document, reader):
        return reader.secret(document["diplomat"]["key"], "diplomat.key")

    follower = ConfigurationFollower(APPLIED, parse, "built with", Reader(tmp_path, {}))
    _store(database, {"diplomat": {"key": {"env": "MISSING"}}})
    assert [_refresh(database, follower), follower.current] == ["built with", "built with"]


def test_a_transaction_that_is_rolled_back_applies_nothing(database, tmp_path):
    """A service whose build fails after it stored its sections leaves its workers as they are."""
    follower = ConfigurationFollower(APPLIED, _Parsed(), "built with", Reader(tmp_path, {}))

    def fail():
        with database.write() as connection:
            APPLIED.store(connection, {"diplomat": {}}, None)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert _refresh(database, follower) == "built with"
