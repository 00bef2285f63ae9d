"""Decide by a download's headers whether anything is sent, and which bytes, in the order of RFC 9110 13.2.2."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from werkzeug.http import parse_date, parse_etags, parse_if_range_header

from filestore_svc.domain.files import StoredFile
from filestore_svc.errors import PreconditionFailed, RangeNotSatisfiable

_RANGE: Final = re.compile(r"\s*bytes\s*=\s*([0-9]{0,18})\s*-\s*([0-9]{0,18})\s*", re.IGNORECASE)

Environ = Mapping[str, Any]


def modified(file: StoredFile) -> datetime:
    """Return the date of Last-Modified, in whole seconds."""
    return datetime.fromtimestamp(file.modified_at // 1000, UTC)


def unchanged(environ: Environ, file: StoredFile) -> bool:
    """Say whether the client has this content already (304); PreconditionFailed where it wants another one."""
    if "HTTP_IF_MATCH" in environ:
        wanted = parse_etags(environ["HTTP_IF_MATCH"])
        if not (wanted.star_tag or wanted.contains(file.etag)):
            raise PreconditionFailed
    else:
        since = parse_date(environ.get("HTTP_IF_UNMODIFIED_SINCE"))
        if since is not None and modified(file) > since:
            raise PreconditionFailed
    if "HTTP_IF_NONE_MATCH" in environ:
        known = parse_etags(environ["HTTP_IF_NONE_MATCH"])
        return known.star_tag or known.contains_weak(file.etag)
    since = parse_date(environ.get("HTTP_IF_MODIFIED_SINCE"))
    return since is not None and modified(file) <= since


def range_of(environ: Environ, file: StoredFile) -> tuple[int, int] | None:
    """Return the first byte to send and the one behind the last, None for all; RangeNotSatisfiable.

    Several ranges are answered in full, and malformed ones are as if not there. (S27)
    """
    match = _RANGE.fullmatch(environ.get("HTTP_RANGE", ""))
    first, last = match.groups() if match else ("", "")
    if not (first or last) or (first and last and int(first) > int(last)) or not _still(environ, file):
        return None
    if not first:
        start, stop = max(0, file.size - int(last)), file.size
    else:
        start, stop = int(first), min(int(last) + 1, file.size) if last else file.size
    if start >= stop:
        raise RangeNotSatisfiable(file.size)
    return start, stop


def _still(environ: Environ, file: StoredFile) -> bool:
    """Say whether If-Range, where there is one, names the content as it is: by its tag, or by its exact date."""
    text = environ.get("HTTP_IF_RANGE")
    if text is None:
        return True
    condition = parse_if_range_header(text)
    if condition.date is not None:
        return condition.date == modified(file)
    return condition.etag == file.etag and not text.strip().startswith("W/")
