import dataclasses
from datetime import UTC, datetime

import pytest
from werkzeug.http import http_date

from filestore_svc.domain.files import StoredFile
from filestore_svc.errors import PreconditionFailed, RangeNotSatisfiable
from filestore_svc.wire import conditions

AT = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
FILE = StoredFile(
    fileset=1, path="/in/a", name="a", size=100, sha256="ab" * 32, modified_at=int(AT.timestamp()) * 1000 + 789
)
TAG = f'"{FILE.sha256}"'
NOW = int(AT.timestamp() + 3600) * 1000
BEFORE, SAME, AFTER = (f"Tue, 03 Feb 2026 04:05:0{second} GMT" for second in (5, 6, 7))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("bytes=0-1", (0, 2)),
        ("bytes=5-", (5, 100)),
        ("bytes=-5", (95, 100)),
        ("bytes=-500", (0, 100)),
        ("bytes=99-1000", (99, 100)),
        ("Bytes = 0 - 0", (0, 1)),
        (f"bytes=0-{'9' * 19}", (0, 100)),
        (f"bytes=1-{'9' * 5000}", (1, 100)),
        (f"bytes={'0' * 30}5-{'0' * 30}7", (5, 8)),
        (f"bytes=-{'9' * 40}", (0, 100)),
        (f"bytes=1{'0' * 19}-{'9' * 19}", None),
        (f"bytes=2{'0' * 5000}-1{'0' * 5000}", None),
        ("bytes=0-1,3-4", None),
        ("lines=1-2", None),
        ("bytes=-", None),
        ("bytes=7-6", None),
        ("", None),
    ],
)
def test_ranges(text, wanted):
    """One well-formed range is served, everything else is as if not there (S27)."""
    assert conditions.range_of({"HTTP_RANGE": text}, FILE, NOW) == wanted


@pytest.mark.parametrize(
    "text",
    ["bytes=100-", "bytes=100-200", "bytes=-0", f"bytes={'9' * 19}-", f"bytes={'9' * 19}-{'9' * 5000}"],
    ids=lambda text: text[:20],
)
def test_ranges_of_nothing(text):
    """A range that holds no byte of the file is 416 (S27)."""
    with pytest.raises(RangeNotSatisfiable) as caught:
        conditions.range_of({"HTTP_RANGE": text}, FILE, NOW)
    assert caught.value.headers == {"Content-Range": "bytes */100"}


@pytest.mark.parametrize("text", ["bytes=0-0", "bytes=0-", "bytes=-1", "bytes=-0", "bytes=5-9"])
def test_ranges_of_an_empty_file(text):
    """An empty file has no range, and is answered in full (S27)."""
    assert conditions.range_of({"HTTP_RANGE": text}, dataclasses.replace(FILE, size=0), NOW) is None


@pytest.mark.parametrize("ahead", [-1, 0, 1])
def test_a_date_of_a_second_that_is_not_over_is_weak(ahead):
    """A client whose date is of this second, or of a later one, gets everything (S27, RFC 9110 13.1.5)."""
    second = int(AT.timestamp()) + ahead
    file = dataclasses.replace(FILE, modified_at=second * 1000)
    now, date = int(AT.timestamp()) * 1000 + 999, http_date(second)
    known = conditions.unchanged({"HTTP_IF_MODIFIED_SINCE": date}, file, now)
    assert (known, conditions.range_of({"HTTP_RANGE": "bytes=0-1", "HTTP_IF_RANGE": date}, file, now) is not None) == (
        ahead < 0,
        ahead < 0,
    )


@pytest.mark.parametrize(
    ("condition", "served"),
    [(TAG, True), (SAME, True), ('"x"', False), (f"W/{TAG}", False), (BEFORE, False), (AFTER, False), ("", False)],
)
def test_if_range(condition, served):
    """A range is served where If-Range names this very content (S27)."""
    found = conditions.range_of({"HTTP_RANGE": "bytes=0-1", "HTTP_IF_RANGE": condition}, FILE, NOW)
    assert (found is not None) is served


@pytest.mark.parametrize(
    ("headers", "answer"),
    [
        ({}, False),
        ({"NONE_MATCH": TAG}, True),
        ({"NONE_MATCH": f"W/{TAG}"}, True),
        ({"NONE_MATCH": f'"x", {TAG}'}, True),
        ({"NONE_MATCH": "*"}, True),
        ({"NONE_MATCH": '"x"'}, False),
        ({"MODIFIED_SINCE": SAME}, True),
        ({"MODIFIED_SINCE": AFTER}, True),
        ({"MODIFIED_SINCE": BEFORE}, False),
        ({"MODIFIED_SINCE": "yesterday"}, False),
        ({"MODIFIED_SINCE": SAME, "NONE_MATCH": '"x"'}, False),
        ({"MATCH": TAG}, False),
        ({"MATCH": "*"}, False),
        ({"MATCH": '"x"'}, PreconditionFailed),
        ({"MATCH": f"W/{TAG}"}, PreconditionFailed),
        ({"UNMODIFIED_SINCE": BEFORE}, PreconditionFailed),
        ({"UNMODIFIED_SINCE": SAME}, False),
        ({"UNMODIFIED_SINCE": BEFORE, "MATCH": TAG}, False),
        ({"MATCH": '"x"', "NONE_MATCH": TAG}, PreconditionFailed),
    ],
)
def test_conditions_in_their_order(headers, answer):
    """Tags go before dates, and preconditions before conditions of a 304 (S27, RFC 9110 13.2.2)."""
    environ = {f"HTTP_IF_{name}": value for name, value in headers.items()}
    if answer is PreconditionFailed:
        with pytest.raises(PreconditionFailed):
            conditions.unchanged(environ, FILE, NOW)
    else:
        assert conditions.unchanged(environ, FILE, NOW) is answer
