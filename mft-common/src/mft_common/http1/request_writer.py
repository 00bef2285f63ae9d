"""Write the head of a request for the next hop."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from mft_common import environ_keys
from mft_common.http1.grammar import HOP_BY_HOP
from mft_common.identity import HEADER

_NAMES: dict[str, str] = {}
# Fields that the gateway sets or checks for the service: a client's Connection field does not take them away.
_KEPT: Final = frozenset(("host", "x-request-id", HEADER.lower()))


def write_request_head(environ: Mapping[str, Any], base_path: str) -> bytes:
    """Return the head of the request in `environ` for the next hop, without its framing fields and its empty line.

    The target is the client's own text where the server kept it, so that it is not decoded and encoded anew.
    """
    dropped = _connection_tokens(environ.get("HTTP_CONNECTION", ""))
    lines = [f"{environ['REQUEST_METHOD']} {base_path}{_target(environ)} HTTP/1.1"]
    for key, value in environ.items():
        if key[:5] == "HTTP_":
            name = _NAMES.get(key)
            if name is None:
                name = _name(key)
            if name and not (dropped and name.lower() in dropped):
                lines.append(f"{name}: {value}")
    if content_type := environ.get("CONTENT_TYPE"):
        lines.append(f"Content-Type: {content_type}")
    text = "\r\n".join(lines) + "\r\n"
    # The client's fields hold no line break; a field that was added since must not hold one either.
    if text.count("\n") != len(lines) or text.count("\r") != len(lines) or "\0" in text:
        raise ValueError("a request field holds a line break")
    return text.encode("latin-1")


def _target(environ: Mapping[str, Any]) -> str:
    path = environ.get(environ_keys.RAW_PATH) or _quoted(environ.get("PATH_INFO") or "/")
    query = environ.get("QUERY_STRING", "")
    return f"{path}?{query}" if query else path


def _quoted(path: str) -> str:
    return quote(path.encode("latin-1"), safe="/!$&'()*+,;=:@~")


def _connection_tokens(value: str) -> set[str]:
    if not value or value.lower() in ("keep-alive", "close"):
        return set()
    return {token.strip().lower() for token in value.split(",")} - _KEPT


def _name(key: str) -> str:
    """Return a field's name for an environment key, empty for one that is not forwarded."""
    name = key[5:].replace("_", "-").title()
    if name.lower() in HOP_BY_HOP or name == "Expect":
        name = ""
    if len(_NAMES) < 512:  # clients choose names, so the cache is bounded
        _NAMES[key] = name
    return name
