"""Read the header fields that describe a file."""

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Final

from mft_common.endpoints.contract import Entry

_DIGITS: Final = re.compile(r"[0-9]{1,18}")
_RANGE: Final = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})")
_STRONG: Final = re.compile(r'"[\x21\x23-\x7e\x80-\xff]*"')

Headers = Mapping[str, str]


def length_of(headers: Headers) -> int | None:
    """Return Content-Length, None where there is none or the body is chunked."""
    text = headers.get("Content-Length", "")
    if "chunked" in headers.get("Transfer-Encoding", "").lower() or not _DIGITS.fullmatch(text):
        return None
    return int(text)


def range_of(headers: Headers) -> tuple[int, int, int] | None:
    """Return first byte, last byte and whole length of Content-Range, None where it does not say all three."""
    match = _RANGE.fullmatch(headers.get("Content-Range", ""))
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def is_strong(version: str) -> bool:
    """Return True for a strong ETag: the same bytes wherever it is the same (RFC 9110, 8.8.1)."""
    return _STRONG.fullmatch(version) is not None


def encoding_of(headers: Headers) -> str:
    """Return the Content-Encoding, "" for none."""
    found = headers.get("Content-Encoding", "").strip().lower()
    return "" if found == "identity" else found


def modified_at(headers: Headers) -> int | None:
    """Return Last-Modified in milliseconds since the epoch."""
    try:
        return int(parsedate_to_datetime(headers["Last-Modified"]).timestamp() * 1000)
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def entry_of(path: str, headers: Headers, size: int | None) -> Entry:
    """Return the file that an answer describes."""
    return Entry(path, size, modified_at(headers), headers.get("ETag", "").strip())
