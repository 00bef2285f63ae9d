"""Parse the parameters of each request into a dataclass; BadRequest says in one sentence what is wrong."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from diplomat_svc.domain.names import controls
from diplomat_svc.errors import BadRequest

Parameters = Mapping[str, Sequence[str]]

_INTEGER: Final = re.compile(r"[+-]?[0-9]+")
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
class RunNow:
    """The parameters of `runNow`; `name` is None where an id was given (31)."""

    number: int | None
    name: str | None
    variables: Mapping[str, str]


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
    number, name = _transaction(parameters)
    variables: dict[str, str] = {}
    for pair in parameters.get("var", ()):
        variable, bar, value = pair.partition("|")
        if not bar or not variable:
            raise BadRequest("A parameter var is not of the form name|value.")
        variables[variable] = value
    return RunNow(number=number, name=name, variables=variables)


def _transaction(parameters: Parameters) -> tuple[int | None, str | None]:
    given, name = _first(parameters, "transactionID"), _first(parameters, "transactionName")
    if given is not None:
        if not re.fullmatch(r"[0-9]+", given):
            raise BadRequest("The parameter transactionID is not a transaction's id.")
        number = integer(given, "transactionID")
        return min(number, 2**63 - 1), None
    if name is None:
        raise BadRequest("Either transactionID or transactionName is required.")
    return None, name


def transaction_statuses(parameters: Parameters) -> int | None:
    """Parse `transactionStatuses`: the time after which changes are asked for, None for all (59, A39)."""
    given = _first(parameters, "since")
    if given is None:
        return None
    since = integer(given, "since")
    return max(min(since, 2**63 - 1), -1)


def not_built(_parameters: Parameters) -> Any:
    """Parse nothing: the request is answered 501."""
