"""Check passwords under the login throttle."""

from dataclasses import dataclass

from gateway.domain import usable_name
from gateway.operations.passwords import Passwords
from gateway.operations.throttle import LoginThrottle
from gateway.store import accounts as store
from gateway.store.lookup import account_of
from mft_common.database import Database
from mft_common.directory import Account, Throttled, Wrong


@dataclass(frozen=True)
class Logins:
    """Checks passwords; an unknown name, a disabled account and a wrong password take the same time."""

    database: Database
    passwords: Passwords
    throttle: LoginThrottle

    def verify(self, service: str, name: str, password: str, address: str) -> Account | Wrong | Throttled:
        """See Directory.verify.

        The throttle is asked three times: before the wait for a slot, where most of an attack ends; after it, so that
        of many guesses sent at once no more than there are slots are checked; and once the result is known.
        """
        if wait := self.throttle.wait(name, address):
            return Throttled(wait)
        with self.passwords.slot():
            if wait := self.throttle.wait(name, address):
                return Throttled(wait)
            row = self._find(name)
            known = row.password_hash if row is not None and row.enabled else None
            right = self.passwords.matches(known, password)
            if row is None or not right:
                with self.database.write() as connection:
                    wait = self.throttle.failed(connection, name, address)
                return Throttled(wait) if wait else Wrong()
            if wait := self.throttle.succeeded(name, address):
                return Throttled(wait)
            if known is not None and self.passwords.outdated(known):
                with self.database.write() as connection:
                    store.rehash(connection, name, known, self.passwords.hash(password))
            return account_of(row.public(), service)

    def _find(self, name: str) -> store.Row | None:
        if not usable_name(name):
            return None
        with self.database.read() as connection:
            return store.find(connection, name)
