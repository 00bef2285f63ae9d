"""Make the passwords, passphrases and keys of the tests, and find their traces in what the hub has written.

A secret is looked for as it is, percent-encoded, as JSON writes it, and inside anything that was encoded in Base64.
"""

import base64
import json
import secrets
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

_LEAST = 8
_made: dict[str, str] = {}
_forms: dict[bytes, str] = {}


def secret(label: str) -> str:
    """Return the random secret of a label, the same one at each call in this process."""
    if label not in _made:
        # Characters that percent-encoding and Base64 change.
        _made[label] = f"{label}+{secrets.token_hex(12)}/~{secrets.token_hex(4)}"
        _note(label, _made[label])
    return _made[label]


def note_key(label: str, text: str) -> str:
    """Let traces of a private key be looked for, line by line; return it."""
    lines = [line for line in text.splitlines() if len(line) >= 40 and "-----" not in line]
    # The first line of a key tells its type and is the same for many.
    for line in lines[1:]:
        _note(label, line)
    return text


def traces(text: bytes) -> list[str]:
    """Return the labels of the secrets that occur in a text, each with the form that was found."""
    return sorted({label for form, label in _forms.items() if form in text})


def _note(label: str, value: str) -> None:
    for name, form in _all_forms(value):
        if len(form) >= _LEAST:
            _forms.setdefault(form, f"{label} ({name})")


def _all_forms(value: str) -> Iterator[tuple[str, bytes]]:
    raw = value.encode()
    yield "as it is", raw
    yield "percent-encoded", quote(value, safe="").encode()
    yield "percent-encoded", quote_plus(value).encode()
    yield "percent-encoded", quote(value).encode()
    yield "as JSON", json.dumps(value)[1:-1].encode()
    for shift in range(3):
        # Three bytes are four letters: the first and the last letters depend on what stands beside the secret.
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            first = -(-shift * 4 // 3) if shift else 0
            whole = (shift + len(raw)) * 4 // 3
            yield "Base64", encode(bytes(shift) + raw)[first + (1 if shift else 0) : whole - 1]
