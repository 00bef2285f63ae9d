"""Read and write bytes as Base64 leaves, in the one form that each value has."""

import base64
import binascii


def to_base64(value: bytes) -> str:
    """Return Base64 without line breaks."""
    return base64.b64encode(value).decode("ascii")


def from_base64(text: str) -> bytes | None:
    """Return the bytes of exactly what `to_base64` writes, but for white space around it; None for everything else.

    A last digit with bits that belong to no byte is refused, so that no second text stands for the same bytes.
    """
    compact = text.strip()
    try:
        value = base64.b64decode(compact.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return None
    return value if to_base64(value) == compact else None
