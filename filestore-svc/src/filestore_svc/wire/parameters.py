"""Read header values that carry parameters, `form-data; name="file"; filename="a.txt"`, in full or not at all.

werkzeug's reader drops what it does not understand: of `filename=my report.txt` it returns `my`, and of a Windows path
in quotes it returns the letters without the backslashes. No file may be stored under such a name. (S37)
"""

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from filestore_svc.errors import BadSyntax

_SPACE: Final = " \t"
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# A token of RFC 9110, and what is not ASCII, which some clients leave unquoted.
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z\u0080-\U0010ffff-]+")
# Boundaries that should have been quoted and often are not, such as `----=_Part_1`.
_BOUNDARY: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z:/=?@()-]+")
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPE: Final = re.compile(r'\\(["\\])')
_EXTENDED: Final = re.compile(r"(utf-8|iso-8859-1|us-ascii)'[A-Za-z0-9-]*'([!#$&+.^_`|~0-9A-Za-z%-]*)", re.IGNORECASE)


def parameters(value: str) -> tuple[str, dict[str, str]]:
    """Return what stands before the first semicolon, and the parameters after it, their names in lower case.

    `name*` (RFC 8187) takes the place of `name`. BadSyntax for a value that goes on after its end, a parameter without
    a value or given twice, a charset or an encoding that cannot be read, and continuations (`name*0`).
    """
    kind, _, rest = value.partition(";")
    found: dict[str, str] = {}
    position = 0
    while (position := _skip(rest, position)) < len(rest):
        if rest[position] == ";":
            position += 1
            continue
        name, position = _name(rest, position)
        found_value, position = _value(rest, position, _BOUNDARY if name == "boundary" else _TOKEN)
        if name in found or "*" in name[:-1]:
            raise BadSyntax
        found[name] = found_value
        position = _skip(rest, position)
        if position < len(rest) and rest[position] != ";":
            raise BadSyntax
    extended = {name[:-1]: _decoded(text) for name, text in found.items() if name.endswith("*")}
    plain = {name: text for name, text in found.items() if not name.endswith("*")}
    return kind.strip(_SPACE), {**plain, **extended}


def _skip(text: str, position: int) -> int:
    while position < len(text) and text[position] in _SPACE:
        position += 1
    return position


def _name(text: str, position: int) -> tuple[str, int]:
    match = _NAME.match(text, position)
    if match is None:
        raise BadSyntax
    position = _skip(text, match.end())
    if text[position : position + 1] != "=":
        raise BadSyntax
    return match[0].lower(), _skip(text, position + 1)


def _value(text: str, position: int, unquoted: re.Pattern[str]) -> tuple[str, int]:
    quoted = _QUOTED.match(text, position)
    if quoted is not None:
        return _ESCAPE.sub(r"\1", quoted[1]), quoted.end()
    token = unquoted.match(text, position)
    if token is None:
        raise BadSyntax
    return token[0], token.end()


def _decoded(text: str) -> str:
    """Decode a value of RFC 8187: `UTF-8''n%C3%A4me.txt`."""
    match = _EXTENDED.fullmatch(text)
    if match is None:
        raise BadSyntax
    try:
        return unquote_to_bytes(match[2]).decode(match[1])
    except UnicodeDecodeError as error:
        raise BadSyntax from error
