"""Throttle failed logins: one count for each client and one for each account from a client, in the database."""

from dataclasses import dataclass

import sqlalchemy as sa

from gateway.domain import Bucket, throttle_keys
from gateway.store import throttle as store
from mft_common.clock import Clock
from mft_common.database import Database


@dataclass(frozen=True)
class LoginThrottle:
    """The login throttle of all protocols; it holds back clients, never an account for all clients or a session."""

    database: Database
    clock: Clock
    bucket: Bucket

    def wait(self, name: str, address: str) -> int:
        """Return for how many seconds logins of `name` from `address` are refused unchecked, 0 for none."""
        return self._find(name, address)[0]

    def failed(self, connection: sa.Connection, name: str, address: str) -> int:
        """Count a failed login in the caller's transaction; return 0 when the client may be told that it failed.

        Otherwise other logins failed meanwhile: nothing is counted, and the seconds to wait are returned. Every
        transaction counts the client first, so that two of them never wait for each other.
        """
        now = self.clock()
        of_client, of_both = throttle_keys(name, address)
        counted = store.count(connection, of_client, self.bucket, now)
        counted = counted and store.count(connection, of_both, self.bucket, now)
        if counted:
            return 0
        return max(1, *(self.bucket.wait(at, now) for at in store.clear_at(connection, (of_client, of_both))))

    def succeeded(self, name: str, address: str) -> int:
        """Clear the account's count from this client and return 0; writes nothing where there is nothing to clear.

        Returns the seconds to wait, and clears nothing, when so many other logins failed meanwhile that the client may
        not be told that this one succeeded.
        """
        wait, own = self._find(name, address)
        if not wait and own:
            with self.database.write() as connection:
                store.clear(connection, throttle_keys(name, address)[1])
        return wait

    def _find(self, name: str, address: str) -> tuple[int, bool]:
        now = self.clock()
        with self.database.read() as connection:
            of_client, of_both = store.clear_at(connection, throttle_keys(name, address))
        return max(self.bucket.wait(of_client, now), self.bucket.wait(of_both, now)), of_both > now
