"""Parse the pairs of a query and of a form, from any bytes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from diplomat_svc.domain.parameters import Parameters

_BROKEN: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_NAME: Final = re.compile("[A-Za-z]{1,32}")
_FORM: Final = "application/x-www-form-urlencoded"
_MOST_PAIRS: Final = 1000
_LONGEST_VALUE: Final = 8 << 10
_LONGEST_FORM: Final = 1 << 20


@dataclass(frozen=True)
class Call:
    """A parsed request: `kind` is its requestType, `fault` describes a part that cannot be parsed, or is None."""

    kind: str | None
    parameters: Parameters
    fault: str | None


def read(environ: Mapping[str, Any]) -> Call:
    """Return the pairs of the query, then of a form (A1); faults are returned: the session is checked first."""
    pieces = environ.get("QUERY_STRING", "").encode("latin-1").split(b"&")
    form, fault = _form(environ)
    pieces = [piece for piece in (*pieces, *form.split(b"&")) if piece]
    if len(pieces) > _MOST_PAIRS:
        pieces, fault = pieces[:_MOST_PAIRS], f"There are more than {_MOST_PAIRS} parameters."
    found: list[tuple[str, str]] = []
    for piece in pieces:
        raw_name, _, raw_value = piece.partition(b"=")
        name, value = _text(raw_name), _text(raw_value)
        if name is None or value is None:
            fault = fault or f"{_subject(name)} is not percent-encoded UTF-8, or holds a NUL."
        elif len(value.encode()) > _LONGEST_VALUE:
            fault = fault or f"{_subject(name)} has a value that is longer than 8 KiB."
        else:
            found.append((name, value))
    given = Parameters(found)
    kinds = given.get("requestType")
    return Call(kinds[0] if kinds else None, given, fault)


def _subject(name: str | None) -> str:
    """Return how a message names a parameter (A3): by its name, where that looks like one of the API's."""
    return f"The parameter {name}" if name and _NAME.fullmatch(name) else "A parameter"


def _form(environ: Mapping[str, Any]) -> tuple[bytes, str | None]:
    kind = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    if environ.get("REQUEST_METHOD") != "POST" or kind != _FORM:
        return b"", None
    length = environ.get("CONTENT_LENGTH") or ""
    chunked = bool(environ.get("wsgi.input_terminated")) and not length
    if not chunked and not length.isdigit():
        return b"", None
    if length and int(length[:12]) > _LONGEST_FORM:
        return b"", "The form is larger than 1 MiB."
    wanted = _LONGEST_FORM + 1 if chunked else int(length)
    body = b""
    try:
        while len(body) < wanted and (block := environ["wsgi.input"].read(wanted - len(body))):
            body += block
    except Exception:  # noqa: BLE001 -- each server has its own way to tell of a broken body
        return b"", "The form cannot be read to its end."
    if len(body) > _LONGEST_FORM:
        return b"", "The form is larger than 1 MiB."
    if not chunked and len(body) < wanted:
        return b"", "The form was cut short."
    return body, None


def _text(raw: bytes) -> str | None:
    if _BROKEN.search(raw):
        return None
    try:
        text = unquote_to_bytes(raw.replace(b"+", b" ")).decode("utf-8")
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def cookies(environ: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Return the values of all cookies of that name, in the order sent (A8)."""
    pairs = (piece.strip().partition("=") for piece in environ.get("HTTP_COOKIE", "").split(";"))
    return tuple(value.strip().strip('"') for found, _, value in pairs if found == name and value)
