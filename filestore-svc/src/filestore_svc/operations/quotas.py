"""Enforce the limits on stored bytes: the largest file, quotas of folders and accounts, and the room on the disk."""

import functools
from collections.abc import Callable
from typing import Final

from filestore_svc.domain.files import Folder
from filestore_svc.domain.limits import Limits, account_of
from filestore_svc.errors import NoSpace, TooLarge
from filestore_svc.store import quotas
from filestore_svc.store.blobs import Blobs, Staging
from filestore_svc.store.commits import Commits
from filestore_svc.store.processes import Processes

# The commit of the file counts an upload of at most this size; only larger ones pay a commit to reserve before.
SMALL: Final = 1 << 20
# An upload of unknown length reserves as much again as it has, and at most so much at once.
_LARGEST_STEP: Final = 16 << 20
LEASE_MS: Final = 30_000

Reserve = Callable[[int], None]


class MeteredSink:
    """Passes the bytes of an upload on to its staging; TooLarge and NoSpace as soon as a limit is exceeded.

    `declared` is the length of the body, which the file does not exceed, None where it is unknown.
    """

    def __init__(self, staging: Staging, most: int | None, reserve: Reserve | None, declared: int | None) -> None:
        self._staging = staging
        self._most = most
        self._reserve = reserve
        self._declared = declared
        self._reserved = 0

    def write(self, block: memoryview | bytes, /) -> None:
        """Pass on the next bytes."""
        size = self._staging.size + len(block)
        if self._most is not None and size > self._most:
            raise TooLarge
        if self._reserve is not None and size > SMALL and size > self._reserved:
            self._grow(self._reserve, size)
        self._staging.write(block)

    def _grow(self, reserve: Reserve, size: int) -> None:
        missing = size - self._reserved
        wanted = max(missing, self._expected(size) - self._reserved)
        try:
            reserve(wanted)
            self._reserved += wanted
        except NoSpace:
            if wanted == missing:
                raise
            # The body may be longer than its file by a little: a quota is given out to its last byte.
            reserve(missing)
            self._reserved += missing

    def _expected(self, size: int) -> int:
        if self._declared is not None:
            return self._declared
        return size + min(size, _LARGEST_STEP)


class Quotas:
    """The quotas of the configuration, and the reservations of this process.

    Nothing is asked of the database where no quota counts.
    """

    def __init__(self, commits: Commits, blobs: Blobs, processes: Processes, limits: Limits) -> None:
        self.limits = limits
        self._commits = commits
        self._blobs = blobs
        self._processes = processes

    def check(self, folder: Folder, owner: str, size: int, name: str = "") -> None:
        """Raise TooLarge or NoSpace where `owner` can store no file of `size` bytes in `folder` at present.

        It is asked before a body is read and refuses only what is certain: the bytes are counted again as they arrive,
        and by the commit. `name` is that of the file, empty while it is unknown.
        """
        if not size:
            return
        if self.limits.file is not None and size > self.limits.file:
            raise TooLarge
        if self.limits.quotas_over(folder.path, owner):
            self._check_quotas(folder, owner, size, name)
        free = self._blobs.free()
        if free is not None and size > free:
            raise NoSpace

    def _check_quotas(self, folder: Folder, owner: str, size: int, name: str) -> None:
        """Count as the upload itself will: a large one beside the file that it replaces, a small one in its place."""
        over = self.limits.quotas_over(folder.path, owner)
        small = size <= SMALL
        with self._commits.database.read() as connection:
            used = quotas.used(connection, over)
            replaced, replaced_owner = quotas.replaced(connection, folder.id, name) if small and name else (0, "")
        for key, most in over.items():
            given_back = replaced if account_of(key) in (None, replaced_owner) else 0
            # A small file whose name is unknown may replace any other.
            counted = 0 if small and not name else used.get(key, 0) - given_back
            if counted + size > most:
                raise NoSpace

    def meter(self, staging: Staging, reservation: str, folder: str, owner: str, declared: int | None) -> MeteredSink:
        """Return a sink that passes bytes on to `staging` and reserves them under the id `reservation`."""
        return MeteredSink(staging, self.limits.file, self.reserving(reservation, folder, owner), declared)

    def reserving(self, identifier: str, folder: str, owner: str = "") -> Reserve | None:
        """Return a function that reserves bytes for an upload into a folder, None where no quota counts them."""
        over = self.limits.quotas_over(folder, owner)
        if not over:
            return None

        def reserve(size: int) -> None:
            lease = self._processes.now() + LEASE_MS
            self._commits.run(
                lambda connection: quotas.reserve(
                    connection, identifier, folder, over, size=size, process=self._processes.own, lease_until=lease
                )
            )

        return reserve

    def release_dead(self) -> int:
        """Give back the reservations of dead processes; return of how many uploads.

        Between machines a reservation lives as long as its lease; an upload that outlives it is counted by its commit.
        """
        dead = self._processes.abandoned(self._commits.database, quotas.owned)
        for row in dead:
            self._commits.run(functools.partial(quotas.release, identifier=row.key))
        return len(dead)
