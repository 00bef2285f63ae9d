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


def is_final(state: str) -> bool:
    """Return whether no event may change the state any more."""
    return RANKS[state] == FINAL_RANK
