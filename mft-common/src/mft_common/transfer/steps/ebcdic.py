"""Code page 1047, EBCDIC Latin-1 of open systems, which Python lacks: code page 037 with six characters moved."""

import codecs
from typing import Final

# The differences to code page 037, as IBM's table of CCSID 1047 gives them: byte and character.
_MOVED: Final = {0x5F: "^", 0xAD: "[", 0xB0: "¬", 0xBA: "Ý", 0xBB: "¨", 0xBD: "]"}
_TABLE: Final = "".join(_MOVED.get(number, bytes([number]).decode("cp037")) for number in range(256))
_REVERSE: Final = codecs.charmap_build(_TABLE)


class Cp1047Decoder(codecs.IncrementalDecoder):
    """Decodes one byte a character."""

    def decode(self, input: bytes, final: bool = False) -> str:  # type: ignore[override] # noqa: A002, ARG002
        """Return the characters of all bytes."""
        return codecs.charmap_decode(input, "strict", _TABLE)[0]


class Cp1047Encoder(codecs.IncrementalEncoder):
    """Encodes one byte a character."""

    def encode(self, input: str, final: bool = False) -> bytes:  # noqa: A002, ARG002
        """Return the bytes of all characters; UnicodeEncodeError for one that the code page lacks."""
        return codecs.charmap_encode(input, "strict", _REVERSE)[0]
