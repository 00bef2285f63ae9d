"""Turn the raw bytes of a URL's path into folder and file names.

Every endpoint and every permission check uses this one normalization: two that differ make checks avoidable. (S5 to S7)
"""

import functools
import re
import unicodedata
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

_MOST_BYTES = 255
_DEEPEST = 64
# Paths up to this length are cached.
_SHORT = 256
# Most names are ASCII without control characters and backslashes, which every normal form leaves unchanged.
_PLAIN = re.compile(rb"[ -\[\]-~]{1,255}")


@dataclass(frozen=True)
class Target:
    """A path of a request: the `pieces` between the slashes, of which the first `good` are valid names.

    `folder` is True where the path ended in a slash. The root has no pieces.
    """

    pieces: tuple[str, ...] = ()
    good: int = 0
    folder: bool = False

    @property
    def refused(self) -> bool:
        """Return whether some piece is no valid name."""
        return self.good < len(self.pieces)

    @property
    def only_folder(self) -> bool:
        """Return whether the URL alone shows that no file is named: the root contains none (S7)."""
        return self.folder or len(self.pieces) < 2

    @property
    def name(self) -> str:
        """Return the last piece."""
        return self.pieces[-1] if self.pieces else ""

    @property
    def parents(self) -> tuple[str, ...]:
        """Return all pieces but the last."""
        return self.pieces[:-1]

    @property
    def text(self) -> str:
        """Return the path for messages, without a leading slash."""
        return "/".join(self.pieces)


ROOT = Target()


def name_of(raw: bytes) -> str | None:
    """Return the name of a piece in normal form C, None where it is no valid name (S6)."""
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
    """Parse a decoded path: an optional leading slash, names, an optional trailing slash."""
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
    """Parse a request's raw path below `prefix`, such as `/2.0/files`; percent-decoding is the first step."""
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
