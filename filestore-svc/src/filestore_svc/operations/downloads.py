"""Open stored files for responses, and record each download at its end."""

import io
from collections.abc import Callable
from typing import Final

from filestore_svc.domain.client_transfers import Outcome
from filestore_svc.domain.files import StoredFile
from filestore_svc.domain.limits import Limits
from filestore_svc.errors import TemporarilyUnavailable
from filestore_svc.operations.reads import OpenReads
from filestore_svc.operations.transfer_records import CompletedDownload
from filestore_svc.operations.transfers import TransferRecorder
from filestore_svc.store.blobs import Blobs
from mft_common import logs
from mft_common.clock import Clock
from mft_common.identity import Identity

_BROKEN_OFF: Final = "the client did not take all bytes"

_audit: Final = logs.get("audit")

Close = Callable[[int, bool], None]


class DownloadBody:
    """The bytes `start` to `stop` of an open blob, as a file for `wsgi.file_wrapper`.

    A server either reads to the end, or uses the descriptor for sendfile and then seeks to the position after the last
    byte sent: `close` computes the bytes sent from either. The gateway's server reports them itself (`report_to`).
    `closed(sent, whole)` is called once.
    """

    mode = "rb"

    def __init__(self, blob: io.RawIOBase, start: int, stop: int, closed: Close, released: Callable[[], None]) -> None:
        self._blob = blob
        self._released: Callable[[], None] | None = released
        self._start = start
        self._stop = stop
        self._position = blob.seek(start) if start else 0
        self._at_end = start == stop
        self._closed: Close | None = closed

    def fileno(self) -> int:
        """Return the descriptor, positioned at the next byte."""
        return self._blob.fileno()

    def read(self, size: int = -1) -> bytes:
        """Read the next bytes; the empty read at the end shows that the server took all before it."""
        rest = self._stop - self._position
        block = self._blob.read(rest if size < 0 else min(size, rest)) if rest else b""
        if not block:
            self._at_end = self._position == self._stop
            return b""
        self._position += len(block)
        return block

    def tell(self) -> int:
        """Return the position in the blob."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Note how far sendfile came."""
        self._position = self._blob.seek(offset, whence)
        self._at_end = self._position >= self._stop
        return self._position

    def report_to(self, finished: list[Callable[[int, int, bool], None]]) -> None:
        """Let the server report the end: it calls all of `finished` with (status, bytes sent, whole)."""
        closed, self._closed = self._closed, None
        if closed is not None:
            finished.append(lambda _status, sent, whole: closed(sent, whole))

    def close(self) -> None:
        """Close the blob, and report how much was sent unless the server does."""
        self._blob.close()
        self._release()
        closed, self._closed = self._closed, None
        if closed is not None:
            closed(min(self._position, self._stop) - self._start, self._at_end)

    def __del__(self) -> None:
        """Release the blob of a body that no server closes."""
        self._release()

    def _release(self) -> None:
        released, self._released = self._released, None
        if released is not None:
            released()


class Downloads:
    """The downloads of this process."""

    def __init__(self, blobs: Blobs, reads: OpenReads, recorder: TransferRecorder, limits: Limits, now: Clock) -> None:
        self._reads = reads
        self._limits = limits
        self._blobs = blobs
        self._recorder = recorder
        self._now = now

    def send(self, identity: Identity, account: str, file: StoredFile, start: int, stop: int) -> DownloadBody:
        """Open the bytes `start` to `stop` of a file, and begin their transfer (S28)."""
        try:
            blob = self._blobs.open(file.fileset)
        except OSError as error:
            logs.get("downloads").error("blob.unreadable", fileset=file.fileset, error=repr(error))
            raise TemporarilyUnavailable from error
        life = self._limits.retention_of(file.path.rpartition("/")[0]).after_get
        transfer = self._recorder.begin(identity, account, upload=False, source=file.path, fileset=file.fileset)

        def closed(sent: int, whole: bool) -> None:
            at = self._now()
            outcome = Outcome(
                at=at,
                reason="" if whole else _BROKEN_OFF,
                bytes_sent=sent,
                size=stop - start,
                sha256=file.sha256 if stop - start == file.size else None,
                modified_at=file.modified_at,
            )
            until = at + life if life else 0
            download = CompletedDownload(file, at, until) if whole and stop == file.size else None
            self._recorder.end_soon(transfer, outcome, download=download)
            if _audit.info_enabled:
                _audit.info(
                    "file.download", path=file.path, fileset=file.fileset, bytes=sent, sha256=file.sha256,
                    result="sent" if whole else "broken off", account=account, address=identity.address,
                    request_id=identity.request_id,
                )  # fmt: skip

        return DownloadBody(blob, start, stop, closed, self._reads.begin(file.fileset))
