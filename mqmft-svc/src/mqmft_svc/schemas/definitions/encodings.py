"""Translate IBM's names of encodings to those of the hub (166)."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from mft_common.transfer.steps.text import UnknownEncoding, decoder_of

# Numbers of character sets that are no code pages of Python.
_NUMBERS: Final[Mapping[int, str]] = {819: "ISO-8859-1", 1200: "UTF-16BE", 1208: "UTF-8", 13488: "UTF-16BE"}
_NUMBERED: Final = re.compile(r"(?:(?:x-)?ibm|cp|ccsid)?[-_ ]?([0-9]{1,5})", re.IGNORECASE)


def hub_encoding(name: str) -> str | None:
    """Return the hub's name of an encoding, None where it has none; a name that the hub knows stays as it is."""
    for candidate in _candidates(name):
        try:
            decoder_of(candidate)
        except UnknownEncoding:
            continue
        return candidate
    return None


def _candidates(name: str) -> Iterator[str]:
    yield name
    if found := _NUMBERED.fullmatch(name):
        number = int(found[1])
        yield _NUMBERS.get(number, f"cp{number:03d}")
