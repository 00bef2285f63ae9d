"""Receive one piece of a resumable upload: bytes first, then the disk, then the offset that acknowledges them."""

import dataclasses
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any, Final

from filestore_svc.domain.resumable import Upload
from filestore_svc.errors import NoSuch, Superseded, TooLarge, WrongChecksum
from filestore_svc.store import resumables
from filestore_svc.store.blobs import Blobs
from filestore_svc.store.commits import Commits
from filestore_svc.store.partials import Digested, Partial
from filestore_svc.wire.bodies import IncompleteBody
from filestore_svc.wire.tus import Patch
from mft_common.clock import Clock
from mft_common.resumable_digests import AVAILABLE, new_sha256, readable, state_of

# A kill costs at most this many bytes of a long piece: the client sends them again.
_SYNC: Final = 32 << 20
_MOST_DIGESTS: Final = 1_000


class PartialDigests:
    """The SHA-256 of the received bytes of uploads, so that they need not be read again.

    The upload's row holds the state of its digest; this process keeps it too, where states cannot be stored.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[str, Digested] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, upload: Upload) -> Digested:
        """Return the digest of as many bytes of an upload as are known, for the caller to continue."""
        if readable(upload.digest_state):
            return Digested(upload.digested, new_sha256(upload.digest_state or b""))
        with self._lock:
            known = self._known.get(upload.id)
        return Digested(0, new_sha256()) if known is None else Digested(known.size, known.sha256.copy())

    def put(self, identifier: str, size: int, sha256: Any) -> None:
        """Remember the digest of the first `size` bytes, which must be durable and acknowledged."""
        if AVAILABLE:
            return
        with self._lock:
            self._known.pop(identifier, None)
            self._known[identifier] = Digested(size, sha256.copy())
            if len(self._known) > _MOST_DIGESTS:
                self._known.popitem(last=False)

    def forget(self, identifier: str) -> None:
        """Forget an upload."""
        with self._lock:
            self._known.pop(identifier, None)


class PieceReceiver:
    """One request that appends to an upload. `upload` is the state after it, `sha256` the digest of all its bytes.

    `sha256` is None where the digest of the bytes before this piece is not known.
    """

    def __init__(
        self, commits: Commits, blobs: Blobs, digests: PartialDigests, upload: Upload, *, token: str, now: Clock,
        life: int,
    ) -> None:  # fmt: skip
        self._commits = commits
        self._blobs = blobs
        self._digests = digests
        self.upload = upload
        self._token = token
        self._now = now
        self._life = life
        self._position = upload.received
        digested = digests.of(upload)
        self.sha256: Any | None = digested.sha256 if digested.size == upload.received else None

    def receive(self, patch: Patch, blocks: Iterator[bytes]) -> Sequence[str] | None:
        """Receive a piece; return None while bytes are missing, else the names of objects that are not recorded yet.

        WrongChecksum, TooLarge; IncompleteBody where the client broke off, after every byte that came was kept. A piece
        with a checksum is kept as a whole or not at all. The last bytes are made durable and not recorded: an offset at
        the end would tell a client that the file is there.
        """
        with self._commits.database.read() as connection:
            pieces = resumables.pieces_of(connection, self.upload.id)
        partial = self._blobs.resume(self.upload.id, self.upload.received, self._check, pieces)
        checksum = patch.hasher()
        try:
            self._append(partial, blocks, checksum)
            if checksum is not None and checksum.digest() != patch.digest:
                raise WrongChecksum
            if self._position == self.upload.length:
                return partial.sync()
            self._commit(partial)
        except IncompleteBody:
            if checksum is None and self._position < self.upload.length:
                self._commit(partial)
            raise
        finally:
            partial.close()
        return None

    def _append(self, partial: Partial, blocks: Iterator[bytes], checksum: Any | None) -> None:
        for block in blocks:
            if self._position + len(block) > self.upload.length:
                raise TooLarge
            self._extend()
            partial.append(block)
            self._position += len(block)
            for digest in (self.sha256, checksum):
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

    def _extend(self) -> None:
        """Put off the end of the upload while bytes arrive, long before it would expire."""
        if self.upload.expires_at - self._now() < self._life * 3 // 4:
            self._advance(dataclasses.replace(self.upload, expires_at=self._now() + self._life), ())

    def _commit(self, partial: Partial) -> None:
        """Make the received bytes durable, then record the offset."""
        if self._position == self.upload.received:
            return
        names = partial.sync()
        advanced = with_digest(self.upload, self._position, self.sha256)
        advanced = dataclasses.replace(advanced, received=self._position, expires_at=self._now() + self._life)
        self._advance(advanced, names)
        if self.sha256 is not None:
            self._digests.put(self.upload.id, self._position, self.sha256)

    def _advance(self, advanced: Upload, names: Sequence[str]) -> None:
        if not self._commits.run(lambda write: resumables.advance(write, advanced, self._token, names)):
            raise Superseded
        self.upload = advanced


def with_digest(upload: Upload, size: int, sha256: Any | None) -> Upload:
    """Return an upload with the digest of its first `size` bytes; with the one that it has where `sha256` is None."""
    state = state_of(sha256)
    return dataclasses.replace(upload, digested=size, digest_state=state) if state else upload
