"""Know whether transfers may still begin for the account that has made a monitor or a schedule (4.G, 4.H)."""

from typing import Final

from mft_common.clock import Clock
from mft_common.directory import Directory
from mft_common.identity import SYSTEM
from mqmft_svc import SERVICE
from mqmft_svc.domain.callers import WRITERS
from mqmft_svc.settings import Settings

# A folder of a thousand files asks once for each of them.
_REMEMBERED_MS: Final = 1000
_GONE: Final = "The user {user}, for whom it was to begin, has no account any more."
_NO_ROLE: Final = "The user {user}, for whom it was to begin, has none of the roles {roles} any more."


class Creators:
    """The accounts of monitors and schedules, as the gateway has them now; an answer is used for a second."""

    def __init__(self, directory: Directory, settings: Settings, now: Clock) -> None:
        self._directory = directory
        self._without_account = {SYSTEM} if settings.security else {SYSTEM, settings.security_off_user}
        self._now = now
        self._known: dict[str, tuple[int, str]] = {}

    def refusal(self, user: str) -> str:
        """Return why no transfer begins for a user any more, "" where one may; Unavailable without the gateway."""
        if user in self._without_account:
            return ""
        now = self._now()
        self._known = {name: known for name, known in self._known.items() if abs(now - known[0]) < _REMEMBERED_MS}
        if user not in self._known:
            self._known[user] = (now, self._look(user))
        return self._known[user][1]

    def _look(self, user: str) -> str:
        account = self._directory.account(SERVICE, user)
        if account is None:
            return _GONE.format(user=user)
        if set((account.grant or {}).get("roles", ())).isdisjoint(WRITERS):
            return _NO_ROLE.format(user=user, roles=" and ".join(WRITERS))
        return ""
