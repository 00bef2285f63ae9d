"""Parse the parameters of each request into a dataclass; BadRequest says in one sentence what is wrong."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from diplomat_svc.domain.names import controls
from diplomat_svc.domain.parameters import Parameters
from diplomat_svc.errors import BadRequest

_INTEGER: Final = re.compile(r"[+-]?[0-9]+")
_DIGITS: Final = re.compile(r"[0-9]+")
_GREATEST: Final = 2**63 - 1
_LONGEST_LABEL: Final = 255
# A number with more digits is beyond every time and id; converting it would only cost time.
_LONGEST_NUMBER: Final = 30


@dataclass(frozen=True, kw_only=True)
class Connect:
    """The parameters of `connect` (21)."""

    user_id: str
    user_name: str
    password: str
    domain: str = ""
    disconnect: str | None = None

    def __repr__(self) -> str:
        return f"Connect(user_id={self.user_id!r}, domain={self.domain!r})"


@dataclass(frozen=True, kw_only=True)
class Which:
    """The one transaction that a request is about; `name` is None where an id was given (31)."""

    number: int | None
    name: str | None


@dataclass(frozen=True, kw_only=True)
class RunNow(Which):
    """The parameters of `runNow`."""

    variables: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class LogView:
    """The parameters of `logView` (51)."""

    name: str
    sequence: int
    contains: str = ""


@dataclass(frozen=True, kw_only=True)
class LogBuffer:
    """The parameters of `logBuffer` (54)."""

    view_id: str
    line: int


def _first(parameters: Parameters, name: str) -> str | None:
    """Return the first value of a parameter (A14); a blank one counts as absent (A15)."""
    values = parameters.get(name)
    return values[0] if values and values[0].strip() else None


def _required(parameters: Parameters, name: str) -> str:
    value = _first(parameters, name)
    if value is None:
        raise BadRequest(f"The parameter {name} is missing.")
    return value


def _label(value: str, name: str) -> str:
    if len(value) > _LONGEST_LABEL or controls(value):
        raise BadRequest(f"The parameter {name} has more than 255 characters or a control character.")
    return value


def integer(value: str, name: str) -> int:
    """Parse an integer of any length; of one that is very long the sign and the first digits are kept."""
    if not _INTEGER.fullmatch(value):
        raise BadRequest(f"The parameter {name} is not an integer.")
    sign, digits = ("-" if value[0] == "-" else ""), value.lstrip("+-").lstrip("0")
    return int(sign + (digits[:_LONGEST_NUMBER] or "0"))


def connect(parameters: Parameters) -> Connect:
    """Parse `connect`."""
    disconnect = _first(parameters, "disconnect")
    return Connect(
        user_id=_label(_required(parameters, "userID"), "userID"),
        user_name=_required(parameters, "userName"),
        password=_password(parameters),
        domain=_label(_first(parameters, "domain") or "", "domain"),
        disconnect=None if disconnect is None else disconnect.strip(),
    )


def _password(parameters: Parameters) -> str:
    # A password may consist of blanks, so only an empty one is missing.
    values = parameters.get("password")
    if not values or not values[0]:
        raise BadRequest("The parameter password is missing.")
    return values[0]


def disconnect(_parameters: Parameters) -> None:
    """Parse `disconnect`, which has no parameters (19)."""


def run_now(parameters: Parameters) -> RunNow:
    """Parse `runNow` (30-33, A25, A27)."""
    which = transaction(parameters)
    variables: dict[str, str] = {}
    for pair in parameters.get("var", ()):
        variable, bar, value = pair.partition("|")
        if not bar or not variable:
            raise BadRequest("A parameter var is not of the form name|value.")
        variables[variable] = value
    return RunNow(number=which.number, name=which.name, variables=variables)


def transaction(parameters: Parameters) -> Which:
    """Parse the pair that names one transaction: of the two parameters the id counts (31, A25)."""
    given, name = _first(parameters, "transactionID"), _first(parameters, "transactionName")
    if given is not None:
        return Which(number=_number(given, "transactionID"), name=None)
    if name is None:
        raise BadRequest("Either transactionID or transactionName is required.")
    return Which(number=None, name=name)


def _number(value: str, name: str) -> int:
    """Parse an id or a sequence, with any number of zeros before it (A25)."""
    if not _DIGITS.fullmatch(value):
        raise BadRequest(f"The parameter {name} is not a number.")
    return min(integer(value, name), _GREATEST)


def job_histories(parameters: Parameters) -> tuple[Which, ...]:
    """Parse `jobHistories`: every value of both parameters counts, in the order sent (46, A42)."""
    found = []
    for name, value in parameters.pairs:
        if not value.strip():
            continue
        if name == "transactionID":
            found.append(Which(number=_number(value, name), name=None))
        elif name == "transactionName":
            found.append(Which(number=None, name=value))
    if not found:
        raise BadRequest("Either transactionID or transactionName is required.")
    return tuple(found)


def log_view(parameters: Parameters) -> LogView:
    """Parse `logView` (51, A57)."""
    name, sequence = _required(parameters, "transactionName"), _required(parameters, "sequence")
    return LogView(name=name, sequence=_number(sequence, "sequence"), contains=_first(parameters, "searchText") or "")


def log_buffer(parameters: Parameters) -> LogBuffer:
    """Parse `logBuffer` (54, A51)."""
    view_id, line = _required(parameters, "logViewID"), _required(parameters, "lineNum")
    return LogBuffer(view_id=view_id, line=integer(line, "lineNum"))


def remove_log_view(parameters: Parameters) -> str:
    """Parse `removeLogView`: the id of the view (57)."""
    return _required(parameters, "logViewID")


def transaction_statuses(parameters: Parameters) -> int | None:
    """Parse `transactionStatuses`: the time after which changes are asked for, None for all (59, A39)."""
    given = _first(parameters, "since")
    if given is None:
        return None
    since = integer(given, "since")
    return max(min(since, _GREATEST), -1)
