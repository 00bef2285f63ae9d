"""Parse query strings and JSON bodies; render answers and their headers."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from mqmft_svc.errors import BodyNotJson, ContentTypeWrong, ParameterUnknown, QueueManagerAway, RestError

CONTENT_TYPE: Final = "application/json;charset=utf-8"
TOTAL: Final = "ibm-mq-rest-mft-total-transfers"
CSRF: Final = "ibm-mq-rest-csrf-token"
# The headers of every answer (55).
HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-cache, no-store, must-revalidate",
    "X-Content-Type-Options": "nosniff",
    "Content-Language": "en-US",
}
CHALLENGE: Final = 'Basic realm="IBM MQ REST API"'
MAX_BODY: Final = 1 << 20
_BROKEN_ESCAPE: Final = re.compile("%(?![0-9A-Fa-f]{2})")
_JSON_TYPE: Final = re.compile(r"application/json\s*(;\s*charset\s*=\s*\"?utf-?8\"?\s*)?;?\s*", re.IGNORECASE)
_MAX_DEPTH: Final = 32
_TOO_DEEP: Final = f"it is nested more than {_MAX_DEPTH} deep"
# How many characters of a name an error shows.
_SHOWN: Final = 64


def query_pairs(query: str) -> list[tuple[str, str]]:
    """Return names and values in order; ParameterUnknown where the query cannot be read (48)."""
    pairs = [part.partition("=") for part in query.split("&") if part]
    return [(_unquoted(name), _unquoted(value)) for name, _, value in pairs]


def _unquoted(raw: str) -> str:
    if _BROKEN_ESCAPE.search(raw):
        raise ParameterUnknown(reason="The query string holds a broken percent escape")
    try:
        # WSGI hands over bytes as Latin-1.
        return unquote_to_bytes(raw.replace("+", " ").encode("latin-1")).decode("utf-8")
    except UnicodeError as error:
        raise ParameterUnknown(reason="The query string holds bytes that are not UTF-8") from error


def json_body(content_type: str, body: bytes) -> dict[str, Any]:
    """Return the JSON object in a body; ContentTypeWrong or BodyNotJson where there is none (143, 154).

    A byte order mark before it is ignored, as RFC 8259 (8.1) allows: PowerShell writes one.
    """
    if not _JSON_TYPE.fullmatch(content_type.strip()):
        raise ContentTypeWrong
    try:
        value = json.loads(body.decode("utf-8-sig"), object_pairs_hook=_unique, parse_constant=_refuse)
        # A lone surrogate can be written as an escape, and belongs in no text.
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except RecursionError as error:
        raise BodyNotJson(reason=_TOO_DEEP) from error
    except UnicodeDecodeError as error:
        raise BodyNotJson(reason=f"byte {error.start} is not part of a character") from error
    except UnicodeEncodeError as error:
        raise BodyNotJson(reason="it has one half of a surrogate pair") from error
    except ValueError as error:
        raise BodyNotJson(reason=str(error)) from error
    if not isinstance(value, dict):
        raise BodyNotJson(reason="it is JSON of another type")
    if _depth(value) > _MAX_DEPTH:
        raise BodyNotJson(reason=_TOO_DEEP)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for name, one in pairs:
        if name in value:
            raise ValueError(f"the name {json.dumps(name[:_SHOWN])} comes twice in an object")
        value[name] = one
    return value


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level and depth <= _MAX_DEPTH:
        depth += 1
        below: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                below.extend(one.values())
            elif isinstance(one, list):
                below.extend(one)
        level = below
    return depth


def to_bytes(value: Any) -> bytes:
    """Render JSON in UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")


def error_bytes(error: RestError) -> bytes:
    """Render the body of an error (120-123)."""
    away = isinstance(error, QueueManagerAway)
    entry: dict[str, Any] = {
        "type": "java" if away else "rest",
        "msgId": error.msg_id,
        "message": f"{error.msg_id}: {error.text(error.message)}",
        "explanation": error.text(error.explanation),
        "action": error.text(error.action),
        "completionCode": 2 if away else 0,
        "reasonCode": 2059 if away else 0,
    }
    if away:
        entry["exceptions"] = []
    return to_bytes({"error": [entry]})


def cookie(name: str, value: str, *, secure: bool, drop: bool = False) -> str:
    """Render the token's cookie; `Secure` only where the request came by HTTPS (141, 146)."""
    gone = "; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT" if drop else ""
    return f"{name}={value}; Path=/; HttpOnly; SameSite=Strict{'; Secure' if secure else ''}{gone}"
