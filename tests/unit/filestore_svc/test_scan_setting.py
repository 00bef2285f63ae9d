"""The setting `scan` of the section `http_mft`."""

from pathlib import Path

import pytest

from filestore_svc import schemas
from filestore_svc.domain.scanning import Scan, ScannerPlace
from mft_common.config import Reader
from mft_common.errors import ConfigError

READER = Reader(Path(), {})

URL = "icap://127.0.0.1:1344/avscan"
PLACE = ScannerPlace.of(URL)


def _scan(**scan):
    folders = {"/in": {}, "/out": {}}
    return schemas.read_sections({"http_mft": {"folders": folders, "scan": scan}}, READER).scan


def test_defaults_of_a_scan():
    """Everything is looked at, and nothing goes in without a verdict."""
    scan = _scan(url=URL)
    assert scan == Scan(place=PLACE)
    assert (scan.on_failure, scan.timeout, scan.max_size, scan.on_large) == ("refuse", 30.0, None, "accept")
    assert scan.covers("/in/sub")
    assert not scan.leaves_out(1 << 50)
    assert schemas.read_sections({}, READER).scan is None
    assert schemas.read_sections({"http_mft": {"scan": None}}, READER).scan is None


def test_everything_that_can_be_said():
    """Each key has its place."""
    scan = _scan(
        url=URL, method="respmod", on_failure="accept", timeout="2m", max_size="1GiB", on_large="refuse",
        folders=["/in/sub"],
    )  # fmt: skip
    assert (scan.method, scan.on_failure, scan.timeout, scan.on_large) == ("RESPMOD", "accept", 120.0, "refuse")
    assert (scan.leaves_out(1 << 30), scan.leaves_out((1 << 30) + 1)) == (False, True)
    assert [scan.covers(path) for path in ("/in", "/in/sub", "/in/sub/b", "/in/subway", "/out")] == [
        False, True, True, False, False,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("icap://scan/av", ("scan", 1344, "scan", False)),
        ("icaps://scan.test/av?x=1", ("scan.test", 11344, "scan.test", True)),
        ("icap://[::1]:99/av", ("::1", 99, "[::1]:99", False)),
    ],
)
def test_where_the_scanner_is(url, expected):
    """A port that is left out is the protocol's own."""
    place = ScannerPlace.of(url)
    assert (place.host, place.port, place.authority, place.tls) == expected
    assert place.uri == url


@pytest.mark.parametrize(
    ("scan", "path"),
    [
        ({}, "http_mft.scan.url"),
        ({"url": "http://scan/av"}, "http_mft.scan.url"),
        ({"url": "icap://scan"}, "http_mft.scan.url"),
        ({"url": "icap://me@scan/av"}, "http_mft.scan.url"),
        ({"url": "icap://scan:port/av"}, "http_mft.scan.url"),
        ({"url": "icap://scan/a b\r\nX: y"}, "http_mft.scan.url"),
        ({"url": 7}, "http_mft.scan.url"),
        ({"url": URL, "on_failure": "ask"}, "http_mft.scan.on_failure"),
        ({"url": URL, "timeout": "10ms"}, "http_mft.scan.timeout"),
        ({"url": URL, "timeout": "0s"}, "http_mft.scan.timeout"),
        ({"url": URL, "max_size": "big"}, "http_mft.scan.max_size"),
        ({"url": URL, "on_large": True}, "http_mft.scan.on_large"),
        ({"url": URL, "method": "get"}, "http_mft.scan.method"),
        ({"url": URL, "folders": ["/in", "/inn"]}, "http_mft.scan.folders.1"),
        ({"url": URL, "folders": ["in"]}, "http_mft.scan.folders.0"),
        ({"url": URL, "nonsense": 1}, "http_mft.scan.nonsense"),
    ],
)
def test_problems_of_the_setting_name_their_path(scan, path):
    """Unusable values are refused at the start, and so are folders that are not declared."""
    with pytest.raises(ConfigError, match=path.replace(".", r"\.")):
        _scan(**scan)
