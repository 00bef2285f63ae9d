"""Change the encoding and the line ends of a text while it passes, in blocks cut anywhere.

The table of line ends; each name is a character, and the encoding says which bytes that is:

| name | characters | ASCII, Latin-1, UTF-8 | EBCDIC (cp037, cp500, cp1047, cp1140, ...) |
| --- | --- | --- | --- |
| lf | U+000A | 0x0A | 0x25 |
| crlf | U+000D U+000A | 0x0D 0x0A | 0x0D 0x25 |
| nel | U+0085 | 0x85 (UTF-8: 0xC2 0x85) | 0x15 |
| any | one of the three above | | |
| lf_or_crlf | one of the first two | | |

A CR that no LF follows is no line end. A character that the other encoding lacks is an error; none is replaced.
"""

import codecs
import encodings
import pkgutil
import re
from collections.abc import Iterable, Iterator
from encodings.aliases import aliases
from typing import Final, Literal

from mft_common.endpoints.contract import BLOCK
from mft_common.endpoints.errors import TransferError
from mft_common.transfer.steps.ebcdic import Cp1047Decoder, Cp1047Encoder

SourceEnds = Literal["lf", "crlf", "nel", "any", "lf_or_crlf"]
TargetEnds = Literal["lf", "crlf", "nel"]

ENDS: Final[dict[TargetEnds, str]] = {"lf": "\n", "crlf": "\r\n", "nel": "\x85"}
_PATTERNS: Final[dict[SourceEnds, re.Pattern[str]]] = {
    "lf": re.compile("\n"),
    "crlf": re.compile("\r\n"),
    "nel": re.compile("\x85"),
    "any": re.compile("\r\n|\n|\x85"),
    "lf_or_crlf": re.compile("\r?\n"),
}
# Encodings of Python itself, and two of mails whose bytes depend on where the text is cut.
_FOREIGN: Final = frozenset(
    {
        *("idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape", "charmap", "mbcs", "oem"),
        *("utf_7", "hz"),
    }
)
# The names of encodings by which Python finds them, in its own spelling.
_NAMES: Final = frozenset({*aliases, *(module.name for module in pkgutil.iter_modules(encodings.__path__))})
_CP1047: Final = re.compile(r"(cp|ibm)[-_]?0?1047", re.IGNORECASE)
# The text that is encoded at once; four bytes a character are one block.
_CHARACTERS: Final = BLOCK // 4


class BadText(TransferError):  # noqa: N818 -- a condition, as in endpoints.errors
    """The bytes are no text of the source's encoding, or the target's encoding lacks one of the characters."""


class UnknownEncoding(TransferError):  # noqa: N818 -- the same
    """There is no text encoding of that name."""


def decoder_of(encoding: str) -> codecs.IncrementalDecoder:
    """Return a strict incremental decoder; UnknownEncoding for a name that is none of a text encoding."""
    if _CP1047.fullmatch(encoding):
        return Cp1047Decoder()
    return codecs.getincrementaldecoder(_checked(encoding))("strict")


def encoder_of(encoding: str) -> codecs.IncrementalEncoder:
    """Return a strict incremental encoder; UnknownEncoding for a name that is none of a text encoding."""
    if _CP1047.fullmatch(encoding):
        return Cp1047Encoder()
    return codecs.getincrementalencoder(_checked(encoding))("strict")


def _checked(encoding: str) -> str:
    """Return the name of a text encoding in Python's spelling; UnknownEncoding.

    Python keeps every spelling for which it was asked, known or not, for as long as the process lives.
    """
    spelled = encodings.normalize_encoding(encoding.lower())
    spelled = spelled if spelled in _NAMES else aliases.get(spelled.replace(".", "_"), "")
    if spelled not in _NAMES:
        raise UnknownEncoding(f"{encoding}: no such text encoding")
    try:
        name = codecs.lookup(spelled).name
        "a".encode(spelled)
        codecs.getincrementaldecoder(spelled)
    except (LookupError, UnicodeError, ValueError) as error:
        raise UnknownEncoding(f"{encoding}: no such text encoding") from error
    if name.replace("-", "_") in _FOREIGN:
        raise UnknownEncoding(f"{encoding}: is no encoding of files")
    return spelled


class Text:
    """Decodes, replaces line ends, encodes. `to_ends` None leaves the line ends as they are.

    Raises BadText with the offset in the source, from 0, of the byte or the character where it failed; the text itself
    is never part of an error.
    """

    def __init__(
        self,
        source: str = "utf-8",
        target: str = "utf-8",
        *,
        from_ends: SourceEnds = "any",
        to_ends: TargetEnds | None = None,
    ) -> None:
        self._source = source
        self._target = target
        self._decoder = decoder_of(source)
        self._encoder = encoder_of(target)
        self._pattern = _PATTERNS[from_ends]
        self._end = None if to_ends is None else ENDS[to_ends]
        self._fed = 0
        self._lines = 1
        # The decoded text that is converted now, and the number of characters before it.
        self._text = ""
        self._before = 0
        # A CR at the end of a block, until the next character says whether a line ends there.
        self._held = ""

    def feed(self, block: bytes) -> Iterator[bytes]:
        """Return the text that is complete so far."""
        yield from self._convert(block, final=False)

    def finish(self) -> Iterable[bytes]:
        """Return the rest; BadText where the text ends inside a character."""
        yield from self._convert(b"", final=True)

    def close(self) -> None:
        """Do nothing: there is nothing to release."""

    def _convert(self, block: bytes, *, final: bool) -> Iterator[bytes]:
        text = self._held + self._decode(block, final=final)
        self._held = ""
        if self._end is not None and not final and text.endswith("\r"):
            text, self._held = text[:-1], "\r"
        self._text = text
        lines = len(self._pattern.findall(text))
        if self._end is not None:
            text = self._pattern.sub(self._end, text)
        for start in range(0, len(text), _CHARACTERS):
            yield from _cut(self._encode(text[start : start + _CHARACTERS], text[:start]))
        if final:
            yield from _cut(self._encode("", text, final=True))
        self._lines += lines
        self._before += len(self._text)

    def _decode(self, block: bytes, *, final: bool) -> str:
        before = self._fed
        self._fed += len(block)
        try:
            return self._decoder.decode(block, final)
        except UnicodeError as error:
            at = before
            if isinstance(error, UnicodeDecodeError):
                # The decoder's own bytes of an earlier block come before this one.
                at = max(0, self._fed - len(error.object) + error.start)
            raise BadText(f"byte {at} is no {self._source} text") from error

    def _encode(self, text: str, before: str, *, final: bool = False) -> bytes:
        try:
            return self._encoder.encode(text, final)
        except UnicodeError as error:
            character, line = "a character", self._lines
            if isinstance(error, UnicodeEncodeError):
                at = self._before + self._index(len(before) + error.start)
                character = f"U+{ord(error.object[error.start]):04X} at character {at}"
                ends = before + error.object[: error.start]
                line += ends.count(self._end) if self._end is not None else len(self._pattern.findall(ends))
            raise BadText(f"line {line}: {character} does not exist in {self._target}") from error

    def _index(self, converted: int) -> int:
        """Return where a character of the converted text is in the text before its line ends were replaced."""
        longer = 0
        if self._end is not None:
            for end in self._pattern.finditer(self._text):
                if end.start() + longer >= converted:
                    break
                longer += len(self._end) - len(end[0])
        return converted - longer


def _cut(data: bytes) -> Iterator[bytes]:
    for start in range(0, len(data), BLOCK):
        yield data[start : start + BLOCK]
