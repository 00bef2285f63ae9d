"""The directory of accounts and sessions (see `mft_common.directory`), stored in a database."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from gateway.domain import AccountSpec, Bucket, PromptRules, Trust
from gateway.operations import apply
from gateway.operations.logins import Logins
from gateway.operations.passwords import Passwords
from gateway.operations.prompts import Prompts
from gateway.operations.sessions import Opening, Sessions
from gateway.operations.shared_settings import SharedSetting
from gateway.operations.throttle import LoginThrottle
from gateway.store import throttle as counts
from mft_common.clock import Clock, now_ms
from mft_common.database import Database
from mft_common.directory import Account, Challenge, Denied, Full, Opened, Session, Throttled, Trusted, Wrong

_ATTEMPT_MS: Final = 24 * 3600 * 1000
_BATCH: Final = 500


class Operations:
    """The directory that services reach here or over HTTP, and what the gateway itself needs beyond it."""

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock = now_ms,
        passwords: Passwords | None = None,
        trust: Trust = "networks",
        fixed_prompt_rules: Mapping[str, Any] | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._passwords = passwords or Passwords()
        throttle = LoginThrottle(database, clock, Bucket())
        self._logins = Logins(database, self._passwords, throttle)
        self._prompts = Prompts(database, self._passwords, throttle, trust, fixed_prompt_rules or {})
        self._sessions = Sessions(database, clock)
        self._basic = SharedSetting(database, "basic services", [])
        self._origins = SharedSetting(database, "origins", {})

    def verify(self, service: str, name: str, password: str, address: str) -> Account | Wrong | Throttled:
        """See Directory; Busy (Unavailable) when too many passwords are being checked."""
        return self._logins.verify(service, name, password, address)

    def account(self, service: str, name: str) -> Account | None:
        """See Directory; one indexed read."""
        return self._sessions.account(service, name)

    def takes_basic(self, service: str) -> bool:
        """True when a service takes Basic credentials with each call; one indexed read."""
        return service in self._basic.get()

    def origins(self, service: str) -> Collection[str]:
        """Return the origins, in lower case, whose pages may call this service, in one indexed read."""
        return frozenset(self._origins.get().get(service, ()))

    def prompts(self, name: str, address: str) -> Trusted | Challenge | Denied:
        """See Directory."""
        return self._prompts.ask(name, address)

    def verify_prompts(
        self, name: str, answers: Sequence[tuple[str | None, str]], address: str
    ) -> Account | Challenge | Denied:
        """See Directory."""
        return self._prompts.check(name, answers, address)

    def open_session(self, **request: Any) -> Opened | Full:
        """See Directory; NoAccount (Unavailable) when the account cannot be used any more."""
        return self._sessions.open(Opening(**request))

    def find_session(self, service: str, token: str) -> tuple[Session, Account] | None:
        """See Directory; one indexed read, and a write at most once in a sixtieth of the idle limit."""
        return self._sessions.find(service, token)

    def list_sessions(self, service: str) -> tuple[Session, ...]:
        """See Directory."""
        return self._sessions.list_live(service)

    def close_session(self, service: str, public_id: str) -> bool:
        """See Directory."""
        return self._sessions.close(service, public_id)

    def close_token(self, service: str, token: str) -> bool:
        """See Directory."""
        return self._sessions.close_token(service, token)

    def ping(self) -> None:
        """Raise Unavailable unless the directory can answer."""
        self._database.ping()

    def apply_accounts(self, accounts: Sequence[AccountSpec]) -> apply.Applied:
        """Bring the table of accounts to exactly `accounts`; sessions of accounts that lost their right are closed."""
        return apply.apply(self._database, self._passwords, self._clock, accounts)

    def apply_prompt_rules(self, rules: PromptRules) -> None:
        """Let `rules` hold for all prompts from now on, on every replica."""
        self._prompts.apply_rules(rules)

    def apply_basic(self, services: Collection[str]) -> None:
        """Let exactly these services take Basic credentials from now on, on every replica."""
        self._basic.put(sorted(services))

    def apply_origins(self, origins: Mapping[str, Collection[str]]) -> None:
        """Let pages of exactly these origins call the services from now on, on every replica."""
        self._origins.put({service: sorted(listed) for service, listed in origins.items()})

    def sweep_sessions(self) -> int:
        """Close expired sessions, each with an event that names the limit; return how many there were."""
        return self._sessions.sweep()

    def prune_counts(self) -> int:
        """Delete throttle counts that are at zero, and attempts at prompts that were given up a day ago."""
        with self._database.write() as connection:
            counts.prune_prompts(connection, self._clock() - _ATTEMPT_MS)
        pruned = 0
        while True:
            with self._database.write() as connection:
                gone = counts.prune(connection, self._clock(), _BATCH)
            pruned += gone
            if gone < _BATCH:
                return pruned
