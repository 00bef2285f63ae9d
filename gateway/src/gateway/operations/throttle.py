"""Hold back guessing: one count for each address and one for each account from an address, shared by all replicas."""

from dataclasses import dataclass

import sqlalchemy as sa

from gateway.domain import Bucket, throttle_keys
from gateway.store import throttle as store
from mft_common.clock import Clock
from mft_common.database import Database


@dataclass(frozen=True)
class LoginThrottle:
    """The hub's one brake for all logins: it holds back addresses, never an account everywhere or an open session."""

    database: Database
    clock: Clock
    bucket: Bucket

    def wait(self, name: str, address: str) -> int:
        """Return for how many seconds nothing of `name` from `address` is looked at, 0 when it is now."""
        return self._look(name, address)[0]

    def failed(self, connection: sa.Connection, name: str, address: str) -> int:
        """Count a wrong guess in the caller's transaction and return 0 when it may be told.

        Otherwise others failed meanwhile, nothing is counted, and the seconds to wait come back. The address comes
        first in every transaction, so that two of them never wait for one another.
        """
        now = self.clock()
        of_address, of_both = throttle_keys(name, address)
        told = store.count(connection, of_address, self.bucket, now)
        told = told and store.count(connection, of_both, self.bucket, now)
        if told:
            return 0
        return max(1, *(self.bucket.wait(at, now) for at in store.clear_at(connection, (of_address, of_both))))

    def succeeded(self, name: str, address: str) -> int:
        """Clear the account's count from this address and return 0; writes nothing where there is nothing to clear.

        Returns the seconds to wait, and clears nothing, when others failed so often meanwhile that this guess, too, may
        not be told.
        """
        wait, own = self._look(name, address)
        if not wait and own:
            with self.database.write() as connection:
                store.clear(connection, throttle_keys(name, address)[1])
        return wait

    def _look(self, name: str, address: str) -> tuple[int, bool]:
        now = self.clock()
        with self.database.read() as connection:
            of_address, of_both = store.clear_at(connection, throttle_keys(name, address))
        return max(self.bucket.wait(of_address, now), self.bucket.wait(of_both, now)), of_both > now
