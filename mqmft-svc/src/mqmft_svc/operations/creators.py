"""Know whether transfers may still begin for the account that has made a monitor or a schedule (4.G, 4.H)."""

import contextvars
import threading
import time
from dataclasses import dataclass, field
from typing import Final

from mft_common.clock import Clock
from mft_common.directory import Directory
from mft_common.errors import Unavailable
from mft_common.identity import SYSTEM
from mqmft_svc import SERVICE
from mqmft_svc.domain.callers import WRITERS
from mqmft_svc.settings import Settings

# A folder of a thousand files asks once for each of them.
_REMEMBERED_MS: Final = 1000
# Whoever did not wait for an answer comes again for it.
_LATE_REMEMBERED_MS: Final = 60_000
# Whoever asks holds a transaction, for which all writers of a SQLite database wait: those that renew leases too. The
# second limit is that of a gateway which was late with another answer, and has given none since.
_WITHIN_S: Final = 2.0
_WITHIN_WHILE_SILENT_S: Final = 0.1
_GONE: Final = "The user {user}, for whom it was to begin, has no account any more."
_NO_ROLE: Final = "The user {user}, for whom it was to begin, has none of the roles {roles} any more."


@dataclass
class _Look:
    """A question to the gateway, for whose answer nobody waits longer than `until`; `at` is when it was answered."""

    until: float
    done: threading.Event = field(default_factory=threading.Event)
    answer: str = ""
    error: Exception | None = None
    at: int = 0
    is_late: bool = False


class Creators:
    """The accounts of monitors and schedules, as the gateway has them now; any thread may ask.

    An answer is used for a second, and for a minute where it took so long that nobody waited for it.
    """

    def __init__(self, directory: Directory, settings: Settings, now: Clock) -> None:
        self._directory = directory
        self._without_account = {SYSTEM} if settings.security else {SYSTEM, settings.security_off_user}
        self._now = now
        self._looks: dict[str, _Look] = {}
        self._is_silent = False
        self._lock = threading.Lock()

    def refusal(self, user: str) -> str:
        """Return why no transfer begins for a user any more, "" where one may; Unavailable without the gateway."""
        if user in self._without_account:
            return ""
        look = self._look_of(user)
        if not look.done.wait(max(0.0, look.until - time.monotonic())):
            look.is_late = self._is_silent = True
            raise Unavailable("the gateway does not answer in time")
        if look.error is not None:
            raise look.error
        return look.answer

    def _look_of(self, user: str) -> _Look:
        """Return the question about a user that is under way, or was answered a moment ago; else ask."""
        with self._lock:
            now = self._now()
            self._looks = {name: one for name, one in self._looks.items() if _is_used(one, now)}
            look = self._looks.get(user)
            if look is None:
                within = _WITHIN_WHILE_SILENT_S if self._is_silent else _WITHIN_S
                look = self._looks[user] = _Look(time.monotonic() + within)
                run = contextvars.copy_context().run
                threading.Thread(target=run, args=(self._ask, user, look), name="creators", daemon=True).start()
            return look

    def _ask(self, user: str, look: _Look) -> None:
        try:
            look.answer = self._refusal(user)
            self._is_silent = False
        except Exception as error:  # noqa: BLE001 -- it is raised where the answer is waited for
            look.error = error
        look.at = self._now()
        look.done.set()

    def _refusal(self, user: str) -> str:
        account = self._directory.account(SERVICE, user)
        if account is None:
            return _GONE.format(user=user)
        if set((account.grant or {}).get("roles", ())).isdisjoint(WRITERS):
            return _NO_ROLE.format(user=user, roles=" and ".join(WRITERS))
        return ""


def _is_used(look: _Look, now: int) -> bool:
    """Return whether a question is under way, or its answer is still used; an error is for those that wait for it."""
    if not look.done.is_set():
        return True
    kept = _LATE_REMEMBERED_MS if look.is_late else _REMEMBERED_MS
    return look.error is None and abs(now - look.at) < kept
