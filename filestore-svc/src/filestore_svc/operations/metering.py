"""Measure an upload while it arrives: against the most that a file may have, and against all quotas it counts for."""

from collections.abc import Callable
from typing import Final

from filestore_svc.domain.limits import Limits
from filestore_svc.errors import NoSpace, TooLarge
from filestore_svc.store import quotas
from filestore_svc.store.blobs import Staging
from filestore_svc.store.commits import Commits
from filestore_svc.store.processes import Processes
from mft_common.clock import Clock

# What fits into this is counted by the commit that shows the file; only larger ones pay a commit to reserve.
SMALL: Final = 1 << 20
_STEP: Final = 16 << 20
_LEASE_MS: Final = 30_000

Reserve = Callable[[int], None]


class Metered:
    """Where the bytes of an upload go in: TooLarge and NoSpace as soon as they show."""

    def __init__(self, staging: Staging, most: int | None, reserve: Reserve | None) -> None:
        self._staging = staging
        self._most = most
        self._reserve = reserve
        self._reserved = 0

    def write(self, block: memoryview | bytes, /) -> None:
        """Take the next bytes."""
        size = self._staging.size + len(block)
        if self._most is not None and size > self._most:
            raise TooLarge
        if self._reserve is not None and size > SMALL and size > self._reserved:
            self._grow(self._reserve, size)
        self._staging.write(block)

    def _grow(self, reserve: Reserve, size: int) -> None:
        missing = size - self._reserved
        try:
            reserve(max(missing, _STEP))
            self._reserved += max(missing, _STEP)
        except NoSpace:
            # The last of a quota is given out to the byte.
            reserve(missing)
            self._reserved += missing


class Quotas:
    """The quotas of the configuration, and what this process has reserved of them."""

    def __init__(self, commits: Commits, processes: Processes, limits: Limits, now: Clock) -> None:
        self.limits = limits
        self._commits = commits
        self._processes = processes
        self._now = now

    def reserving(self, identifier: str, folder: str, owner: str = "") -> Reserve | None:
        """Return what reserves bytes for an upload into a folder, None where no quota counts them."""
        over = self.limits.quotas_over(folder, owner)
        if not over:
            return None

        def reserve(size: int) -> None:
            lease = self._now() + _LEASE_MS
            self._commits.run(
                lambda connection: quotas.reserve(
                    connection, identifier, folder, over, size=size, process=self._processes.own, lease_until=lease
                )
            )

        return reserve

    def release_dead(self) -> int:
        """Give back what dead processes had reserved; returns of how many uploads.

        Between machines a reservation is as good as its lease: should its upload live on, the commit counts its bytes.
        """
        with self._commits.database.read() as connection:
            found = list(quotas.reserved(connection))
        dead = [identifier for identifier, process, lease in found if self._dead(process, lease)]
        for identifier in dead:
            self._commits.run(lambda connection, identifier=identifier: quotas.release(connection, identifier))  # type: ignore[misc]
        return len(dead)

    def _dead(self, process: str, lease_until: int) -> bool:
        return self._processes.dead(process) if self._processes.local else lease_until < self._now()
