"""Check file names, match patterns, and build the names of unfinished files."""

import hashlib
import re
from collections.abc import Iterable
from typing import Final

from mft_common.endpoints.errors import BadName

LONGEST: Final = 255
# Upper-case hex digits of a job's sequence (16) or of a transfer id (48): other files do not end like that by chance.
_TOKEN: Final = re.compile(r"[0-9A-F]{16,64}")
_TEMPORARY: Final = re.compile(r"\..+\.([0-9A-F]{16,64})\.part", re.DOTALL)


def size_of(name: str) -> int:
    """Return the length of `name` in bytes, as the file system counts it."""
    return len(name.encode("utf-8", "surrogateescape"))


def check_name(name: str) -> str:
    """Return `name` if it can be a file's name in a folder; BadName for paths, dots, NUL and our temporaries."""
    try:
        length = size_of(name)
    except UnicodeEncodeError as error:
        raise BadName("a file's name holds a character that no file system can store") from error
    if not name or name in (".", "..") or "/" in name or "\0" in name:
        raise BadName(f"{name!r} cannot be a file's name")
    if length > LONGEST:
        raise BadName(f"a file's name has more than {LONGEST} bytes")
    if is_temporary(name):
        raise BadName(f"{name!r} is the form of unfinished files")
    return name


def check_path(path: str) -> str:
    """Return `path`, steps separated by `/` and each a possible name; BadName for empty steps, `..` and the like."""
    for step in path.split("/"):
        check_name(step)
    return path


def printable(path: str) -> str:
    r"""Return a path for logs and answers: bytes that are not UTF-8 become `\xNN`, control characters U+FFFD."""
    text = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def temporary_name(name: str, token: str) -> str:
    """Return `.<name>.<token>.part`, shortened with a hash of the name where that would be too long for a folder."""
    if not _TOKEN.fullmatch(token):
        raise ValueError("a token has 16 to 64 upper-case hex digits")
    plain = f".{name}.{token}.part"
    if size_of(plain) <= LONGEST:
        return plain
    raw = name.encode("utf-8", "surrogateescape")
    tag = hashlib.sha256(raw).hexdigest()[:16]
    room = LONGEST - size_of(f".~{tag}.{token}.part")
    return f".{raw[:room].decode('utf-8', 'surrogateescape')}~{tag}.{token}.part"


def is_temporary(name: str, token: str | None = None) -> bool:
    """Return True when `name` is that of an unfinished file, of the owner `token` where one is given."""
    match = _TEMPORARY.fullmatch(name)
    return match is not None and token in (None, match[1])


class Patterns:
    """Names with wildcards: `*` is any run, `?` one character, and nothing else is special, a leading dot included.

    The hub's own temporary names never match. (diplomat.md, A30)
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        self.texts = tuple(patterns)
        self._compiled = [re.compile(_expression(text), re.DOTALL) for text in self.texts]

    def match(self, name: str) -> bool:
        """Return True when one of the patterns matches `name`."""
        return any(one.fullmatch(name) for one in self._compiled) and not is_temporary(name)


def _expression(pattern: str) -> str:
    # Each run of stars becomes one lazy group that, once matched up to the next literal text, is never tried again
    # (atomic): so a pattern of many stars costs no more time than one of few.
    first, *rest = re.split(r"\*+", pattern)
    if not rest:
        return _literal(first)
    *middle, last = rest
    return _literal(first) + "".join(f"(?>.*?{_literal(part)})" for part in middle) + f".*{_literal(last)}"


def _literal(text: str) -> str:
    return "".join("." if character == "?" else re.escape(character) for character in text)
