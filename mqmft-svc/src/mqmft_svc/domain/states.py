"""List the states of a transfer; a state of a higher rank replaces one of a lower rank."""

from collections.abc import Mapping
from typing import Final

FINAL_RANK: Final = 4
RANKS: Final[Mapping[str, int]] = {
    "started": 0,
    "inProgress": 1,
    "inProgressWithWarnings": 2,
    "inProgressWithFailures": 3,
    "successful": FINAL_RANK,
    "partiallySuccessful": FINAL_RANK,
    "failed": FINAL_RANK,
    "cancelled": FINAL_RANK,
    "malformed": FINAL_RANK,
    "notAuthorized": FINAL_RANK,
    "deleted": FINAL_RANK,
}


# The ends after which each file has arrived or failed (75); those of other ends may have done neither.
_COUNTED: Final = frozenset(("successful", "partiallySuccessful", "failed"))


def is_final(state: str) -> bool:
    """Return whether no event may change the state any more."""
    return RANKS[state] == FINAL_RANK


def counts_all_files(state: str) -> bool:
    """Return whether successes and failures are all files."""
    return state in _COUNTED
