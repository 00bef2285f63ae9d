"""Name the file that is moved aside while another takes its name in two steps, or while it is deleted."""

import hashlib
import re
from typing import Final

from mft_common.endpoints.names import LONGEST, is_temporary, size_of

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


def deletion_name(name: str, token: str, mark: str) -> str:
    """Return the name under which a file is kept while its version of `mark` is deleted; a long name is cut."""
    whole = aside_name(name, token, mark)
    if whole is not None:
        return whole
    raw = name.encode("utf-8", "surrogateescape")
    # The form of a temporary name, which no file's own name has.
    end = f"~.{hashlib.sha256(raw).hexdigest()[:16].upper()}.part"
    room = LONGEST - size_of(f"...{end}.{mark}.part.{token}.part")
    return f"...{raw[:room].decode('utf-8', 'ignore')}{end}.{mark}.part.{token}.part"


def is_cut(name: str) -> bool:
    """Return whether `deleted_name` has found but the beginning of a long name."""
    return is_temporary(name)


def former_name(aside: str, token: str) -> str | None:
    """Return the final name of a file that was moved aside, None for another temporary name."""
    name = aside.removeprefix("..").removesuffix(f".{_FORMER}.part.{token}.part")
    return name if name and aside_name(name, token) == aside else None


def deleted_name(aside: str, token: str) -> tuple[str, str] | None:
    """Return the name of a file that was moved aside to be deleted, and the mark; None for another name.

    The name may be cut (`is_cut`).
    """
    match = _ASIDE.fullmatch(aside)
    return (match[1], match[2]) if match is not None and match[3] == token and match[2] != _FORMER else None


def kept_name(aside: str) -> str:
    """Return the name that a file that was moved aside keeps where another program has taken its final name."""
    return f"{aside.rsplit('.', 2)[0]}.{KEPT}.part"
