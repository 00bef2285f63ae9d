"""Decide what an account may see and do, by its grant (A22)."""

from collections.abc import Callable

from diplomat_svc.errors import BadRequest
from diplomat_svc.schemas.requests import Which
from mft_common.endpoints.names import Patterns
from mft_common.identity import Identity


def visible_to(caller: Identity) -> Callable[[str], bool]:
    """Return a test for the names of transactions that the caller may see; a grant that names none shows all."""
    patterns = Patterns((caller.grant or {}).get("transactions", ("*",)))
    return patterns.match


def unknown_transaction(which: Which) -> BadRequest:
    """Return the error of a transaction that does not exist or that the caller may not see (A22, A26)."""
    parameter = "transactionName" if which.number is None else "transactionID"
    return BadRequest(f"The parameter {parameter} names no transaction.")


def require_administrator(caller: Identity) -> None:
    """Raise BadRequest unless the caller's role is Administrator."""
    if (caller.grant or {}).get("role") != "Administrator":
        raise BadRequest("The account's role does not allow this request.")
