"""Find the secrets of a call in a text of its receiver (232)."""

import base64
import html
import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Final
from urllib.parse import unquote, unquote_plus, urlsplit

# What stands in the place of a secret.
HIDDEN: Final = "***"
# Shorter texts are no secrets, and would be found in any answer.
_SHORTEST: Final = 6
_SHORTEST_STEP: Final = 12
_BASIC: Final = "basic"


def without_secrets(text: str, url: str, headers: Mapping[str, str], *, is_cut: bool = False) -> str:
    """Return a text of the far side, such as an echo, without the secrets of URL and headers.

    A secret is found as it was sent, decoded, and as JSON and HTML write it. With `is_cut` the text may end amid one.
    """
    secrets = {form for secret in _secrets(url, headers) for form in _forms(secret)}
    # Secrets may overlap: each character of one is marked before any is taken out.
    marks = bytearray(len(text))
    for secret in secrets:
        _mark(marks, text, secret)
    end = len(text) - max((_begun(text, one) for one in secrets), default=0) if is_cut else len(text)
    runs = groupby(range(end), lambda place: marks[place])
    return "".join(HIDDEN if is_secret else "".join(text[place] for place in run) for is_secret, run in runs)


def _mark(marks: bytearray, text: str, secret: str) -> None:
    at = text.find(secret)
    while at >= 0:
        marks[at : at + len(secret)] = b"\1" * len(secret)
        at = text.find(secret, at + 1)


def _secrets(url: str, headers: Mapping[str, str]) -> Iterator[str]:
    parts = urlsplit(url)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    values = [value for pair in parts.query.split("&") for value in (pair.partition("=")[2], pair)]
    yield from _long_enough((url, target, parts.query), _SHORTEST)
    yield from _long_enough((form for one in values for form in (one, unquote_plus(one))), _SHORTEST)
    yield from _long_enough((form for one in parts.path.split("/") for form in (one, unquote(one))), _SHORTEST_STEP)
    for value in headers.values():
        yield from _long_enough((value, *value.split(), *_login(value)), _SHORTEST)


def _login(value: str) -> Iterator[str]:
    """Yield what the value of a header says as Basic authentication: user with password, and the password."""
    scheme, _, token = value.partition(" ")
    if scheme.lower() == _BASIC:
        try:
            login = base64.b64decode(token).decode("utf-8", "replace")
        except ValueError:
            return
        yield from (login, login.partition(":")[2])


def _forms(secret: str) -> Iterator[str]:
    """Yield a secret as it is, and as JSON and HTML write it; some escape the slash as well."""
    in_json = json.dumps(secret)[1:-1]
    yield from (secret, in_json, in_json.replace("/", "\\/"), json.dumps(secret, ensure_ascii=False)[1:-1])
    yield from (html.escape(secret), html.escape(secret, quote=False))


def _begun(text: str, secret: str) -> int:
    """Return how many characters of a secret a text ends with, 0 where it ends with all of them or none."""
    longest = min(len(secret) - 1, len(text))
    return next((count for count in range(longest, 0, -1) if text.endswith(secret[:count])), 0)


def _long_enough(texts: Iterable[str], least: int) -> Iterator[str]:
    return (text for text in texts if len(text) >= least)
