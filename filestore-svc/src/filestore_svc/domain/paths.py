"""Turn the raw bytes of a URL's path into folder and file names, in the one way that every endpoint uses.

Two ways of normalising that differ are how permission checks get bypassed, so there is no second one. (S5 to S7)
"""

import functools
import re
import unicodedata
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

_MOST_BYTES = 255
_DEEPEST = 64
# What the same clients ask for again and again is understood once, as long as it takes no room worth speaking of.
_SHORT = 256
# What most names are made of: ASCII without control characters and the backslash, already in every normal form.
_PLAIN = re.compile(rb"[ -\[\]-~]{1,255}")


@dataclass(frozen=True)
class Target:
    """A path as it was named: `pieces` between the slashes, of which the first `good` are possible names.

    `folder` tells that it ended in a slash. The root has no pieces.
    """

    pieces: tuple[str, ...] = ()
    good: int = 0
    folder: bool = False

    @property
    def refused(self) -> bool:
        """True when some piece can be nobody's name."""
        return self.good < len(self.pieces)

    @property
    def only_folder(self) -> bool:
        """True when the URL alone shows that no file is named: the root holds none (S7)."""
        return self.folder or len(self.pieces) < 2

    @property
    def name(self) -> str:
        """The last piece."""
        return self.pieces[-1] if self.pieces else ""

    @property
    def parents(self) -> tuple[str, ...]:
        """All pieces but the last."""
        return self.pieces[:-1]

    @property
    def text(self) -> str:
        """The whole path for messages, without a leading slash."""
        return "/".join(self.pieces)


ROOT = Target()


def name_of(raw: bytes) -> str | None:
    """Return the name that a piece spells, in normal form C, or None where it can be none (S6)."""
    if _PLAIN.fullmatch(raw):
        return None if raw in (b".", b"..") else raw.decode("ascii")
    try:
        name = unicodedata.normalize("NFC", raw.decode("utf-8"))
    except UnicodeDecodeError:
        return None
    if name in ("", ".", "..") or "\\" in name or len(name.encode()) > _MOST_BYTES:
        return None
    if any(unicodedata.category(character) == "Cc" for character in name):
        return None
    return name


def canonical(decoded: bytes) -> Target:
    """Read a path whose percent-encoding is undone: an optional leading slash, names, an optional trailing slash."""
    if decoded in (b"", b"/"):
        return ROOT
    rest = decoded.removeprefix(b"/")
    folder = rest.endswith(b"/")
    raw = (rest[:-1] if folder else rest).split(b"/")
    names = [name_of(piece) for piece in raw]
    good = next((index for index, name in enumerate(names) if name is None), len(names))
    shown = tuple(name or piece.decode("utf-8", "replace") for name, piece in zip(names, raw, strict=True))
    return Target(shown, min(good, _DEEPEST), folder)


def below(raw_path: bytes, prefix: bytes) -> Target:
    """Return what a request's raw path names below `prefix`, such as `/2.0/files`; decodes once, and first."""
    return (_below if len(raw_path) <= _SHORT else _below.__wrapped__)(raw_path, prefix)


@functools.lru_cache(4096)
def _below(raw_path: bytes, prefix: bytes) -> Target:
    return canonical(unquote_to_bytes(raw_path)[len(prefix) :])


def ancestry(pieces: tuple[str, ...]) -> list[str]:
    """Return the path of a folder and of all above it, the topmost first: `/a`, `/a/b`, `/a/b/c`."""
    paths: list[str] = []
    for piece in pieces:
        paths.append(f"{paths[-1] if paths else ''}/{piece}")
    return paths
