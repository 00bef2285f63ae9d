"""Decide what an account may see and do, by its grant (A22)."""

from collections.abc import Callable

from diplomat_svc.errors import BadRequest
from mft_common.identity import Identity
from mft_common.transfer import Patterns


def sees(caller: Identity) -> Callable[[str], bool]:
    """Return whether the caller may see a transaction of a name; a grant that names none shows all."""
    patterns = Patterns((caller.grant or {}).get("transactions", ("*",)))
    return patterns.match


def must_administer(caller: Identity) -> None:
    """Raise BadRequest for a Viewer."""
    if (caller.grant or {}).get("role") != "Administrator":
        raise BadRequest("The account's role does not allow this request.")
