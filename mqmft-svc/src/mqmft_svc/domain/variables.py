"""Replace the variables of a monitor's transfer definition (188).

`${FileName}` is a whole value, `${FileName{token=2}{separator=_}}` the second of the pieces between underscores; a
negative token counts from the end.
"""

# ruff: noqa: N818 -- the name of a condition

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from mft_common.clock import iso
from mqmft_svc.domain.monitors import Match

# The variables that have another value for each file.
OF_FILE: Final = frozenset(("filepath", "filename", "filesize", "lastmodifiedtime"))
_VARIABLE: Final = re.compile(r"\$\{([^{}]*)((?:\{[^{}]*\})*)\}")
_PART: Final = re.compile(r"\{(token|separator)=([^{}]+)\}", re.IGNORECASE)
_TOKEN: Final = re.compile(r"-?[0-9]{1,4}", re.ASCII)
_NOT_DIGITS: Final = re.compile("[^0-9]")


class BadVariable(ValueError):
    """A variable that has no value; `name` is its text in the definition."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"The variable {name} {reason}.")
        self.name = name


def values_of(*, agent: str, now: int, queue: str = "", match: Match | None = None) -> dict[str, str]:
    """Return the values of the variables that are known, by their names in lower case.

    Times are UTC: that of a file as elsewhere in this protocol, `CurrentTimeStamp` in digits alone.
    """
    values = {"agentname": agent, "currenttimestamp": _NOT_DIGITS.sub("", iso(now))}
    if queue:
        values["queuename"] = queue
    if match is not None:
        values |= {"filepath": match.path, "filename": match.name}
        if match.size is not None:
            values["filesize"] = str(match.size)
        if match.modified_at is not None:
            values["lastmodifiedtime"] = iso(match.modified_at)
    return values


def names_in(value: Any) -> set[str]:
    """Return the names, in lower case, of the variables in the texts of plain data."""
    found: set[str] = set()

    def note(text: str) -> str:
        found.update(one[1].lower() for one in _VARIABLE.finditer(text))
        return text

    _mapped(value, note)
    return found


def replaced(value: Any, values: Mapping[str, str]) -> Any:
    """Return plain data with the variables of its texts replaced; BadVariable. Names of attributes stay as they are."""
    return _mapped(value, lambda text: _VARIABLE.sub(lambda found: _value(found, values), text))


def _mapped(value: Any, of_text: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return of_text(value)
    if isinstance(value, dict):
        return {name: _mapped(one, of_text) for name, one in value.items()}
    return [_mapped(one, of_text) for one in value] if isinstance(value, list) else value


def _value(found: re.Match[str], values: Mapping[str, str]) -> str:
    shown = found[0] if len(found[0]) <= 100 else f"{found[0][:100]}..."
    value = values.get(found[1].lower())
    if value is None:
        raise BadVariable(shown, "has no value")
    if not found[2]:
        return value
    parts = {part[1].lower(): part[2] for part in _PART.finditer(found[2])}
    token = parts.get("token", "")
    if "".join(part[0] for part in _PART.finditer(found[2])) != found[2] or set(parts) != {"token", "separator"}:
        raise BadVariable(shown, "is not written as ${NAME{token=N}{separator=TEXT}}")
    if not _TOKEN.fullmatch(token) or int(token) == 0:
        raise BadVariable(shown, "needs a whole number as its token, not 0")
    pieces = value.split(parts["separator"])
    place = int(token) - 1 if int(token) > 0 else len(pieces) + int(token)
    if not 0 <= place < len(pieces):
        raise BadVariable(shown, f"has no piece {token}: its value has {len(pieces)}")
    return pieces[place]


def sampled(value: Any, values: Mapping[str, str]) -> Any:
    """Return plain data with each variable replaced by the whole of its value, whichever piece is wanted."""
    return _mapped(value, lambda text: _VARIABLE.sub(lambda found: values[found[1].lower()], text))
