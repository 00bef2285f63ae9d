"""Renew a lease from a thread of its own, so that a scan may take longer than the lease lasts."""

import threading
from typing import Final

from mft_common import logs
from mft_common.database import Database
from mft_common.database.leases import Lease, Leases
from mft_common.errors import Unavailable

# The lease is renewed this often while it lasts.
_RENEWALS: Final = 3
_JOIN_S: Final = 5.0


class LeaseRenewal:
    """Renews `lease` until `stop`; `lost` is set once it cannot be renewed any more."""

    def __init__(self, database: Database, leases: Leases, lease: Lease) -> None:
        self.lost = threading.Event()
        self._database = database
        self._leases = leases
        self._lease = lease
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"renew-{lease.key}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; a renewal that it has begun is over when this returns, or waits for the database."""
        self._stop.set()
        self._thread.join(_JOIN_S)

    def _run(self) -> None:
        while not self._stop.wait(self._lease.ttl / _RENEWALS):
            try:
                with self._database.write() as connection:
                    kept = self._leases.renew(connection, self._lease)
            except Unavailable as error:
                # It is tried again, and lapses in the end where the database stays away.
                logs.get("watching").warning("watching.renewal_failed", lease=self._lease.key, error=str(error))
                continue
            if not kept:
                self.lost.set()
                return
