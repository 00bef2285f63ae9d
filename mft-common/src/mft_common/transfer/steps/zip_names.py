"""Say which names the members of an archive may have."""

import re
from typing import Final

_LONGEST: Final = 1024
_DRIVE: Final = re.compile(r"[A-Za-z]:")


def problem_of_name(name: str) -> str | None:
    """Return why a member may not have this name, None where it may; a folder's name ends with a slash."""
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return "is no UTF-8 name"
    if not name or size > _LONGEST:
        return "is empty or too long"
    if name.startswith("/") or _DRIVE.match(name):
        return "is absolute"
    if "\\" in name or any(ord(character) < 32 or ord(character) == 127 for character in name):
        return "has a backslash or a control character"
    if any(part in ("", ".", "..") for part in name.removesuffix("/").split("/")):
        return "leads out of the archive or has an empty part"
    return None
