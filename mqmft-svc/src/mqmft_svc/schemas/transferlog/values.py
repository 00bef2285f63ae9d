"""Read single values of a message; one that cannot be read counts as absent."""

import re
from typing import Final
from xml.etree.ElementTree import Element

from mft_common.clock import parse_iso
from mft_common.errors import MftError

# A number of more digits fits no column of the database.
_NUMBER: Final = re.compile(r"\+?[0-9]{1,18}")
_YES: Final = frozenset(("true", "yes", "1"))
_NO: Final = frozenset(("false", "no", "0"))


class MessageUnreadable(MftError):  # noqa: N818 -- the name of the log event, and of what is done with the message
    """The message is no message of a transfer that the record can hold; the text says why."""


def number(text: str | None) -> int | None:
    """Return a whole number of at least 0."""
    stripped = (text or "").strip()
    return int(stripped) if _NUMBER.fullmatch(stripped) else None


def moment(text: str | None) -> int | None:
    """Return a time in milliseconds; one without a zone is UTC."""
    stripped = (text or "").strip()
    for candidate in (stripped, f"{stripped}Z"):
        try:
            at = parse_iso(candidate)
        except (ValueError, OverflowError):
            continue
        return at if at >= 0 else None
    return None


def yes_no(text: str | None) -> bool | None:
    """Return the truth of `true`, `yes`, `false` or `no`."""
    word = (text or "").strip().lower()
    return True if word in _YES else False if word in _NO else None


def text_of(element: Element | None, path: str) -> str:
    """Return the text of the first element at `path`, without the blanks around it; empty where there is none."""
    return "" if element is None else (element.findtext(path) or "").strip()


def attribute(element: Element | None, name: str) -> str:
    """Return an attribute without the blanks around it; empty where there is none."""
    return "" if element is None else (element.get(name) or "").strip()
