from pathlib import Path

import pytest

from filestore_svc import schemas
from filestore_svc.domain.files import FIXED
from filestore_svc.errors import BadSyntax
from mft_common.config import Reader
from mft_common.errors import ConfigError

READER = Reader(Path(), {})


def test_a_whole_section():
    """The section holds contracts, folders, sessions and the rule for conflicts."""
    section = {
        "contracts": {"std": {}},
        "folders": {
            "/in": {"access": {"part1": ["list"]}, "retention": {"after_put": None}, "quota": None},
            "/in/a": None,
        },
        "sessions": {"idle": "10m", "absolute": "1h"},
        "on_conflict": "reject",
        "raw_put": False,
    }
    found = schemas.read_sections({"http_mft": section}, READER)
    assert found.contracts == {"std"}
    assert found.folders == {"/in": {"part1": ["list"]}, "/in/a": None}
    assert (found.sessions.idle, found.sessions.absolute, found.on_conflict) == (600.0, 3600.0, "reject")
    assert schemas.read_sections({}, READER).folders == {}


@pytest.mark.parametrize(
    ("section", "path"),
    [
        ({"folders": {"in": {}}}, "http_mft.folders.in"),
        ({"folders": {"/in/": {}}}, "http_mft.folders./in/"),
        ({"folders": {"/a/../b": {}}}, "http_mft.folders./a/../b"),
        ({"folders": {"/in": {"quota": "much"}}}, "http_mft.folders./in"),
        ({"folders": {"/in": {"retention": {"after_put": 1}}}}, "http_mft.folders./in"),
        ({"max_file_size": "large"}, "http_mft.max_file_size"),
        ({"uploads": {"expire": "late"}}, "http_mft.uploads.expire"),
        ({"folders": {"/in": {"access": {"x": ["look"]}}}}, "http_mft.folders./in"),
        ({"basic_auth": "on"}, "http_mft.basic_auth"),
        ({"nonsense": 1}, "http_mft.nonsense"),
        ({"on_conflict": "ask"}, "http_mft.on_conflict"),
        ({"sessions": {"idle": "long"}}, "http_mft.sessions.idle"),
    ],
)
def test_problems_name_their_path(section, path):
    """An unusable value is refused at the start, by its path."""
    with pytest.raises(ConfigError, match=path.replace(".", r"\.")):
        schemas.read_sections({"http_mft": section}, READER)


def test_a_grant_names_a_contract_that_exists():
    """An account's contract is checked against the contracts."""
    accounts = {
        "a": {"grants": {"http_mft": {"contract": "gone"}}},
        "b": {"grants": {}},
        "c": {"grants": {"http_mft": {"x": 1}}},
    }
    with pytest.raises(ConfigError) as caught:
        schemas.read_sections({"accounts": accounts, "http_mft": {"contracts": {"std": {}}}}, READER)
    assert caught.value.problems == [
        "accounts.a.grants.http_mft.contract: http_mft.contracts has no gone",
        "accounts.c.grants.http_mft.x: Unknown field.",
    ]


def test_the_default_page():
    """Without a query: by name, descending, the first 500, the ten fixed attributes (83 to 89)."""
    found = schemas.page({})
    assert (found.sort, found.descending, found.start, found.limit, found.attributes) == ("name", True, 0, 500, FIXED)
    assert schemas.page({"attributes": " , "}).attributes == FIXED


def test_values_are_case_insensitive_and_limits_are_capped():
    """`asc` and `ASC` are one; limits beyond 10,000 are served as 10,000 (D21, S31)."""
    found = schemas.page(
        {"sort": "Put_Date", "direction": "asc", "limit": "9" * 5000, "start": "007", "attributes": "a, b"}
    )
    assert (found.sort, found.descending, found.start, found.limit) == ("put_date", False, 7, 10_000)
    assert found.attributes == ("a", "b")


@pytest.mark.parametrize(
    "query",
    [
        {"sort": "owner"},
        {"sort": ""},
        {"direction": "up"},
        {"type": "x"},
        {"start": "-1"},
        {"limit": "1.5"},
        {"limit": ""},
        {"limit": "\u0661"},
    ],
)
def test_queries_that_make_no_sense(query):
    """A bad value is E-SYN (D21)."""
    with pytest.raises(BadSyntax):
        schemas.page(query)


def test_limits_and_retention():
    """A folder has its own retention or that of the nearest above it, and counts for every quota above it."""
    folders = {
        "/a": {"retention": {"after_put": "1h", "after_get": None}, "quota": "1GiB"},
        "/a/b": {"retention": {"after_get": "2h"}, "quota": 5},
        "/c": {"retention": None, "quota": None},
    }
    limits = schemas.read_sections({"http_mft": {"folders": folders, "max_file_size": "1KiB"}}, READER).limits
    assert (limits.file, limits.retention_of("/a/x").after_put, limits.retention_of("/a/x").after_get) == (
        1024,
        3_600_000,
        0,
    )
    assert (limits.retention_of("/a/b/c").after_put, limits.retention_of("/a/b/c").after_get) == (0, 7_200_000)
    assert limits.quotas_over("/a/b/c", "part1") == {"/a": 1 << 30, "/a/b": 5}
    assert (limits.quotas_over("/ab", "part1"), limits.retention_of("/c").after_put) == ({}, 0)
