"""Read the JSON of metadata, as strictly as http-mft.md 5.4 asks."""

import codecs
import json
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from filestore_svc.domain.files import FIXED, MOST_CUSTOM, SETTABLE
from filestore_svc.errors import BadSyntax
from filestore_svc.wire import bodies
from filestore_svc.wire.headers import Preconditions, check_whole, preconditions

_LONGEST_KEY = 128
_LONGEST_VALUE = 4 << 10
_LONGEST = 256 << 10


@dataclass(frozen=True)
class MetadataUpdate:
    """A write of metadata: its conditions, and a function that returns the attributes to set.

    The function reads the body, so it is called once every check that comes before the body has passed. BadSyntax.
    """

    preconditions: Preconditions
    attributes: Callable[[], Mapping[str, str]]


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadSyntax
    return found


def _no_constant(_text: str) -> None:
    raise BadSyntax


def parse(raw: bytes) -> dict[str, str]:
    """Return the attributes, fixed and custom, that a body sets; BadSyntax for anything else (S22 to S24)."""
    if len(raw) > _LONGEST:
        raise BadSyntax
    try:
        # A number keeps its own text: 1.0 does not become 1, and 1e5 does not become 100000.0.
        root = json.loads(
            # Windows PowerShell writes a byte order mark; one is ignored (S26).
            raw.removeprefix(codecs.BOM_UTF8).decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_int=_Number,
            parse_float=_Number,
        )
    except (ValueError, RecursionError) as error:
        raise BadSyntax from error
    if isinstance(root, dict) and list(root) == ["metadata"] and isinstance(root["metadata"], dict):
        root = root["metadata"]
    if not isinstance(root, dict):
        raise BadSyntax
    values = {_key(key): _value(value) for key, value in root.items()}
    if sum(key not in FIXED for key in values) > MOST_CUSTOM:
        raise BadSyntax
    return values


def only_json(content_type: str | None) -> None:
    """Raise BadSyntax unless the type is `application/json`, with or without a charset (47, S26)."""
    if (content_type or "").partition(";")[0].strip().lower() != "application/json":
        raise BadSyntax


def update(environ: Mapping[str, Any]) -> MetadataUpdate:
    """Read the headers of a metadata write; BadSyntax where they show that the body is no JSON (47, S26)."""
    only_json(environ.get("CONTENT_TYPE"))
    check_whole(environ)

    def attributes() -> dict[str, str]:
        return parse(bodies.read_limited(environ, _LONGEST, BadSyntax()))

    return MetadataUpdate(preconditions(environ), attributes)


class _Number(str):
    """The text of a JSON number."""

    __slots__ = ()


def _key(key: str) -> str:
    if not 0 < len(key) <= _LONGEST_KEY or (key in FIXED and key not in SETTABLE):
        raise BadSyntax
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in key):
        raise BadSyntax
    return key


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        raise BadSyntax
    text = str(value)
    try:
        size = len(text.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise BadSyntax from error
    # PostgreSQL stores no NUL in a text.
    if size > _LONGEST_VALUE or "\0" in text:
        raise BadSyntax
    return text
