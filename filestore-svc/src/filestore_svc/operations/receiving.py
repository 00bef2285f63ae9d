"""Take one piece of an upload: bytes first, then the disk, then the word that they are there."""

import dataclasses
from collections.abc import Iterator
from typing import Any, Final

import sqlalchemy as sa

from filestore_svc.domain.resumable import Upload
from filestore_svc.errors import NoSuch, Superseded, TooLarge, WrongChecksum
from filestore_svc.operations.running import Digests
from filestore_svc.store import resumables
from filestore_svc.store.blobs import Blobs
from filestore_svc.store.commits import Commits
from filestore_svc.store.partials import Partial
from filestore_svc.wire.bodies import Cut
from filestore_svc.wire.tus import Patch
from mft_common.clock import Clock

# How much of a long piece a kill may cost: its client sends that again.
_SYNC: Final = 32 << 20


class Receiving:
    """One request that adds to an upload. `upload` is what it is after it."""

    def __init__(
        self, commits: Commits, blobs: Blobs, digests: Digests, upload: Upload, *, token: str, now: Clock, life: int
    ) -> None:
        self._commits = commits
        self._blobs = blobs
        self._digests = digests
        self.upload = upload
        self._token = token
        self._now = now
        self._life = life
        self._position = upload.received
        self._digest: Any | None = digests.of(upload)

    @property
    def digest(self) -> Any | None:
        """The SHA-256 of all that was received, None where it is not known."""
        return self._digest

    def take(self, patch: Patch, blocks: Iterator[bytes]) -> list[str] | None:
        """Receive a piece; return None while more is to come, else the names of what is not remembered yet.

        WrongChecksum, TooLarge; Cut where the client vanished, after all that came was kept. A piece with a checksum is
        kept as a whole or not at all. The offset never tells of all bytes before the file is there.
        """
        with self._commits.database.read() as connection:
            pieces = resumables.pieces_of(connection, self.upload.id)
        partial = self._blobs.resume(self.upload.id, self.upload.received, self._check, pieces)
        checksum = patch.hasher()
        try:
            self._receive(partial, blocks, checksum)
            if checksum is not None and checksum.digest() != patch.digest:
                raise WrongChecksum
            if self._position == self.upload.length:
                return list(partial.sync())
            self._commit(partial)
        except Cut:
            if checksum is None and self._position < self.upload.length:
                self._commit(partial)
            raise
        finally:
            partial.close()
        return None

    def _receive(self, partial: Partial, blocks: Iterator[bytes], checksum: Any | None) -> None:
        for block in blocks:
            if self._position + len(block) > self.upload.length:
                raise TooLarge
            partial.append(block)
            self._position += len(block)
            for digest in (self._digest, checksum):
                if digest is not None:
                    digest.update(block)
            much = self._position - self.upload.received >= _SYNC
            if much and checksum is None and self._position < self.upload.length:
                self._commit(partial)

    def _check(self) -> None:
        with self._commits.database.read() as connection:
            writer = resumables.writer(connection, self.upload.id)
        if writer is None:
            raise NoSuch(self.upload.id)
        if writer != self._token:
            raise Superseded

    def _commit(self, partial: Partial) -> None:
        """Make durable what came, and only then say so."""
        if self._position == self.upload.received:
            return
        names = partial.sync()
        expires_at = self._now() + self._life

        def work(connection: sa.Connection) -> bool:
            return resumables.advance(
                connection, self.upload.id, self._token, received=self._position, expires_at=expires_at, names=names
            )

        if not self._commits.run(work):
            raise Superseded
        self.upload = dataclasses.replace(self.upload, received=self._position, expires_at=expires_at)
        self._digests.put(self.upload.id, self._position, self._digest)
