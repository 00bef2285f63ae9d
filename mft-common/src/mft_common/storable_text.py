"""Make texts that any database column, any reader of JSON and any UTF-8 reader can hold."""

import re
from typing import Final

# What stands for a byte of a file's name that is no UTF-8 (`surrogateescape`).
_FIRST_BYTE: Final = 0xDC00
_BYTE: Final = re.compile("[\udc80-\udcff]")


def storable(text: str) -> str:
    r"""Return a text in which each byte of a name that is no UTF-8 is `\xNN`.

    NUL and the other halves of surrogate pairs become their escapes.
    """
    if not text.isascii():
        text = _BYTE.sub(_escaped, text).encode("utf-8", "backslashreplace").decode()
    return text.replace("\0", "\\x00")


def _escaped(byte: re.Match[str]) -> str:
    return f"\\x{ord(byte[0]) - _FIRST_BYTE:02x}"
