"""Decide which of a transaction's notification rules an end of a job, or its being late, concerns (E43)."""

from collections.abc import Mapping
from typing import Final

from diplomat_svc.domain import states
from diplomat_svc.domain.transactions import Notify

EVERY, LATE, RECOVERED = "*", "late", "recovered"
# Groups of completion statuses. `*` is every end and `late`; ends by a person and `Warning` are in no other group.
_GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "success": (states.SUCCESSFUL,),
    "failure": (
        *(states.FAILURE, states.CRITICAL, states.INCOMPLETE, states.MISSED),
        *(states.REQUIRED_NOT_FOUND, states.PREVIEW_LICENSE),
    ),
}
WORDS: Final = (*states.COMPLETIONS, *_GROUPS, LATE, RECOVERED, EVERY)


def has_recovered(completion: str | None, previous: str | None) -> bool:
    """Return whether a job is `Successful` after the end `previous` of the transaction's last job, which was not."""
    return completion == states.SUCCESSFUL and previous not in (None, states.SUCCESSFUL)


def concerns_end(rule: Notify, completion: str, *, recovered: bool) -> bool:
    """Return whether a rule is for this end; one that matches it in several ways still gives one notification."""
    if EVERY in rule.on or completion in rule.on or (recovered and RECOVERED in rule.on):
        return True
    return any(completion in _GROUPS[word] for word in rule.on if word in _GROUPS)


def concerns_late(rule: Notify) -> bool:
    """Return whether a rule is for jobs that are not over in time."""
    return LATE in rule.on or (EVERY in rule.on and rule.after is not None)
