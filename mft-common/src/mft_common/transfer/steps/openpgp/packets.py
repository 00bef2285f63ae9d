"""Find out by which packet a message is encrypted, from its first bytes (RFC 9580, 4.2)."""

import base64
import binascii
import re
from typing import Final

# Marker, public-key and symmetric-key encrypted session keys come before the packet with the data.
_BEFORE: Final = (1, 3, 10)
_ARMOR: Final = b"-----BEGIN PGP MESSAGE-----"
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/\s]*")
# What may lie before the packet with the data: the session key for some hundred recipients.
HEAD: Final = 1 << 16


def encryption_packet(head: bytes) -> int | None:
    """Return the number of the packet with the data (18: MDC, 20: OCB, 9: unprotected); None where it is not seen."""
    data = _binary(head)
    at = 0
    while at < len(data):
        tag, size, start = _header(data, at)
        if tag is None:
            return None
        if tag not in _BEFORE:
            return tag
        if size is None:
            return None
        at = start + size
    return None


def _binary(head: bytes) -> bytes:
    """Return the bytes of an armored message, `head` where it is none, in time that grows with the length alone."""
    armor, *lines = head.replace(b"\r\n", b"\n").lstrip().split(b"\n")
    if not armor.startswith(_ARMOR):
        return head
    # A blank line ends the headers.
    begin = next((place for place, line in enumerate(lines) if not line.strip()), len(lines))
    found = _BASE64.match(b"\n".join(lines[begin:]))
    text = b"".join(found[0].split()) if found else b""
    try:
        return base64.b64decode(text[: len(text) - len(text) % 4])
    except binascii.Error:
        return b""


def _header(data: bytes, at: int) -> tuple[int | None, int | None, int]:
    """Return the tag, the size of the body (None: not given or cut) and where the body begins."""
    first = data[at]
    if not first & 0x80:
        return None, None, at
    if first & 0x40:
        return _new_header(data, at)
    width = (1, 2, 4, 0)[first & 3]
    end = at + 1 + width
    if width == 0 or len(data) < end:
        return (first >> 2) & 15, None, end
    return (first >> 2) & 15, int.from_bytes(data[at + 1 : end], "big"), end


def _new_header(data: bytes, at: int) -> tuple[int | None, int | None, int]:
    tag, octets = data[at] & 63, data[at + 1 : at + 6]
    if not octets:
        return tag, None, at + 1
    if octets[0] < 192:
        return tag, octets[0], at + 2
    if octets[0] < 224 and len(octets) >= 2:
        return tag, ((octets[0] - 192) << 8) + octets[1] + 192, at + 3
    if octets[0] == 255 and len(octets) == 5:
        return tag, int.from_bytes(octets[1:], "big"), at + 6
    return tag, None, at + 1
