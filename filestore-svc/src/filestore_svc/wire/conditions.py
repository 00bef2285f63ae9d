"""Decide by a download's headers whether anything is sent, and which bytes, in the order of RFC 9110 13.2.2."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from werkzeug.http import parse_date, parse_etags, parse_if_range_header

from filestore_svc.domain.files import StoredFile
from filestore_svc.errors import PreconditionFailed, RangeNotSatisfiable

_RANGE: Final = re.compile(r"\s*bytes\s*=\s*([0-9]*)\s*-\s*([0-9]*)\s*", re.IGNORECASE)
# More digits than the size of any file has. Python refuses to read a number with thousands of them.
_MOST_DIGITS: Final = 18

Environ = Mapping[str, Any]


def unchanged(environ: Environ, file: StoredFile, now: int) -> bool:
    """Say whether the client has this content already (304); PreconditionFailed where it wants another one.

    `now` is in milliseconds since the epoch.
    """
    if "HTTP_IF_MATCH" in environ:
        wanted = parse_etags(environ["HTTP_IF_MATCH"])
        if not (wanted.star_tag or wanted.contains(file.etag)):
            raise PreconditionFailed
    else:
        since = parse_date(environ.get("HTTP_IF_UNMODIFIED_SINCE"))
        if since is not None and file.last_modified > since:
            raise PreconditionFailed
    if "HTTP_IF_NONE_MATCH" in environ:
        known = parse_etags(environ["HTTP_IF_NONE_MATCH"])
        return known.star_tag or known.contains_weak(file.etag)
    since = parse_date(environ.get("HTTP_IF_MODIFIED_SINCE"))
    return since is not None and file.last_modified <= since and _is_over(since, now)


def range_of(environ: Environ, file: StoredFile, now: int) -> tuple[int, int] | None:
    """Return the first byte to send and the one behind the last, None for all; RangeNotSatisfiable.

    Several ranges are answered in full, and malformed ones are as if not there. An empty file has no ranges. (S27)
    """
    match = _RANGE.fullmatch(environ.get("HTTP_RANGE", ""))
    if match is None or not file.size or not (match[1] or match[2]) or not _still(environ, file, now):
        return None
    first, last = _position(match[1]), _position(match[2])
    if not match[1]:
        start, stop = max(0, file.size - last), file.size
    elif not match[2]:
        start, stop = first, file.size
    elif _above(match[1], match[2]):
        return None
    else:
        start, stop = first, min(last + 1, file.size)
    if start >= stop:
        raise RangeNotSatisfiable(file.size)
    return start, stop


def _position(digits: str) -> int:
    """Return the position that `digits` name, at most one that lies behind the end of every file."""
    plain = digits.lstrip("0")
    return 10**_MOST_DIGITS if len(plain) > _MOST_DIGITS else int(plain or "0")


def _above(first: str, last: str) -> bool:
    """Say whether the first number is the larger one, however many digits they have."""
    first, last = first.lstrip("0"), last.lstrip("0")
    return (len(first), first) > (len(last), last)


def _still(environ: Environ, file: StoredFile, now: int) -> bool:
    """Say whether If-Range, where there is one, names the content as it is: by its tag, or by its exact date."""
    text = environ.get("HTTP_IF_RANGE")
    if text is None:
        return True
    condition = parse_if_range_header(text)
    if condition.date is not None:
        return condition.date == file.last_modified and _is_over(condition.date, now)
    return condition.etag == file.etag and not text.strip().startswith("W/")


def _is_over(second: datetime, now: int) -> bool:
    """Say whether no content can be stored in this second any more, so that its date is exact (RFC 9110 13.1.5)."""
    return second.timestamp() < now // 1000
