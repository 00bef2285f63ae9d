"""Ask and check the prompts of the Data Protector protocol; unknown names cannot be told from accounts."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from gateway.domain import (
    GRANT_KEYS,
    PromptRules,
    Trust,
    fake_prompts,
    normal_form,
    sort_answers,
    throttle_keys,
    trusted_from,
    usable_name,
)
from gateway.operations.passwords import Passwords
from gateway.operations.shared_settings import SharedSetting
from gateway.operations.throttle import LoginThrottle
from gateway.store import accounts
from gateway.store import throttle as store
from gateway.store.lookup import account_of
from mft_common.database import Database
from mft_common.directory import Account, Challenge, Denied, Trusted

_SERVICE: Final = "sertainty-svc"
_FAKE_PROMPTS: Final = "fake prompts"


@dataclass(frozen=True)
class _Prompted:
    """The prompts of a name: an account's own with their hashes, or made-up ones without."""

    texts: tuple[str, ...]
    hashes: tuple[str | None, ...]
    account: Account | None
    trusted: bool = False


class Prompts:
    """Challenges; `trust` says from where trusted accounts need none.

    The rules for unknown users and wrong answers are stored in the database, so that all replicas agree and a running
    hub can be changed; `fixed` are rules of this process's environment, which win.
    """

    def __init__(
        self, database: Database, passwords: Passwords, throttle: LoginThrottle, trust: Trust, fixed: Mapping[str, Any]
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._throttle = throttle
        self._trust = trust
        self._fixed = dict(fixed)
        self._rules = SharedSetting(database, "prompt rules", {})
        self._fake_key: bytes | None = None

    def ask(self, name: str, address: str) -> Trusted | Challenge | Denied:
        """See Directory.prompts; asking counts as nothing (sertainty.md 23-25)."""
        prompted = self._prompted(name, address)
        if prompted.trusted and prompted.account is not None:
            return Trusted(prompted.account)
        return self._challenge(prompted, self.rules())

    def check(self, name: str, answers: Sequence[tuple[str | None, str]], address: str) -> Account | Challenge | Denied:
        """See Directory.verify_prompts (sertainty.md 24-27)."""
        prompted = self._prompted(name, address)
        if prompted.trusted and prompted.account is not None:
            return prompted.account
        rules = self.rules()
        if not answers:
            return self._challenge(prompted, rules)
        if wait := self._throttle.wait(name, address):
            return Denied(wait)
        with self._passwords.slot():
            if wait := self._throttle.wait(name, address):
                return Denied(wait)
            right = self._right(prompted, answers)
            if right and prompted.account is not None:
                return self._succeeded(name, address, prompted.account)
            return self._failed(name, address, prompted, rules)

    def rules(self) -> PromptRules:
        """Return the rules for unknown users and wrong answers."""
        return PromptRules(**{**self._rules.get(), **self._fixed})

    def apply_rules(self, rules: PromptRules) -> None:
        """Store the rules for every replica; writes nothing where they are stored already."""
        self._rules.put(asdict(rules))

    def _prompted(self, name: str, address: str) -> _Prompted:
        row = None
        if usable_name(name):
            with self._database.read() as connection:
                row = accounts.find(connection, name)
        grant = row.grant(GRANT_KEYS[_SERVICE]) if row is not None and row.enabled else None
        # Made for every name, so that an unknown one takes no longer.
        texts = fake_prompts(name, self._key())
        if row is not None and grant is not None:
            account = account_of(row.public(), _SERVICE)
            if trusted_from(grant, address, self._trust):
                return _Prompted((), (), account, trusted=True)
            if row.prompts:
                return _Prompted(
                    tuple(prompt.text for prompt in row.prompts), tuple(prompt.hash for prompt in row.prompts), account
                )
        return _Prompted(texts, (None,) * len(texts), None)

    def _challenge(self, prompted: _Prompted, rules: PromptRules) -> Challenge | Denied:
        if prompted.account is None and rules.unknown_users == "deny":
            return Denied()
        return Challenge(prompted.texts)

    def _right(self, prompted: _Prompted, answers: Sequence[tuple[str | None, str]]) -> bool:
        """Compare every answer, also after a wrong one: the time must not tell which one was wrong."""
        given = sort_answers(prompted.texts, answers)
        compared = [
            self._passwords.matches(hashed, normal_form(answer))
            for hashed, answer in zip(prompted.hashes, given or [""] * len(prompted.hashes), strict=True)
        ]
        return given is not None and all(compared)

    def _succeeded(self, name: str, address: str, account: Account) -> Account | Denied:
        if wait := self._throttle.succeeded(name, address):
            return Denied(wait)
        key = throttle_keys(name, address)[1]
        with self._database.read() as connection:
            failures = store.failed_prompts(connection, key)
        if failures:
            with self._database.write() as connection:
                store.clear_prompts(connection, key)
        return account

    def _failed(self, name: str, address: str, prompted: _Prompted, rules: PromptRules) -> Challenge | Denied:
        with self._database.write() as connection:
            if wait := self._throttle.failed(connection, name, address):
                return Denied(wait)
            key = throttle_keys(name, address)[1]
            failures = store.fail_prompts(connection, key, rules.failures, self._throttle.clock())
        return Denied() if failures >= rules.failures else self._challenge(prompted, rules)

    def _key(self) -> bytes:
        """Return the secret key of made-up prompts, the same on every replica and after every restart."""
        if self._fake_key is None:
            with self._database.write() as connection:
                self._fake_key = accounts.get_or_create(connection, _FAKE_PROMPTS, os.urandom(32))
        return self._fake_key
