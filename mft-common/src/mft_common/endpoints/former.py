"""Name the file that is moved aside while another takes its name in two steps, or while it is deleted."""

import re
from typing import Final

from mft_common.endpoints.names import LONGEST, size_of

# The former file of a name is moved aside under the temporary name of a temporary name. No other file has that one,
# because a name of this form is refused as a file's name. Listings leave it out, and a sweep finds what it belongs to.
_FORMER: Final = "0000000000000000"
# The token of former files that no sweep removes: no piece of work has it.
KEPT: Final = "FFFFFFFFFFFFFFFF"
_ASIDE: Final = re.compile(r"\.\.(.+)\.([0-9A-F]{16})\.part\.([0-9A-F]{16,64})\.part", re.DOTALL)


def aside_name(name: str, token: str, mark: str = _FORMER) -> str | None:
    """Return the name under which the former file of `name` is kept during a replacement in two steps.

    With `mark`, 16 upper-case hex digits, the name under which a file is kept while its version of that mark is
    deleted. None where that would be too long for a folder.
    """
    aside = f"..{name}.{mark}.part.{token}.part"
    return aside if size_of(aside) <= LONGEST else None


def former_name(aside: str, token: str) -> str | None:
    """Return the final name of a file that was moved aside, None for another temporary name."""
    name = aside.removeprefix("..").removesuffix(f".{_FORMER}.part.{token}.part")
    return name if name and aside_name(name, token) == aside else None


def deleted_name(aside: str, token: str) -> tuple[str, str] | None:
    """Return the name of a file that was moved aside to be deleted, and the mark; None for another name."""
    match = _ASIDE.fullmatch(aside)
    return (match[1], match[2]) if match is not None and match[3] == token and match[2] != _FORMER else None


def kept_name(aside: str) -> str:
    """Return the name that a file that was moved aside keeps where another program has taken its final name."""
    return f"{aside.rsplit('.', 2)[0]}.{KEPT}.part"
