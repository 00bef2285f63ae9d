"""Send uploads to a virus scanner, and decide what happens to one that is refused or gets no verdict."""

import contextlib
import io
from collections.abc import Callable
from typing import Final

from filestore_svc.domain.scanning import Scan
from filestore_svc.errors import ContentRefused, RequestRejected, TemporarilyUnavailable, TooLarge
from filestore_svc.store.blobs import Staging
from filestore_svc.wire.bodies import Sink
from filestore_svc.wire.icap import Blocked, Scanner, ScannerAway, ScannerSilent, ScanTransaction
from mft_common import logs
from mft_common.errors import Unavailable

_BLOCK: Final = 1 << 20

Open = Callable[[int], io.RawIOBase]


class Scanning:
    """The scanner of the configuration. `open_content` opens a durable blob that is not visible yet."""

    def __init__(self, scan: Scan, scanner: Scanner, open_content: Open) -> None:
        self.scan = scan
        self.scanner = scanner
        self.open_content = open_content

    def begin(self, folder: str, name: str, size: int | None = None) -> "UploadScan | None":
        """Begin the scan of an upload; None in folders that are not scanned."""
        return UploadScan(self, f"{folder}/{name}", size) if self.scan.covers(folder) else None

    def check(self) -> None:
        """Raise Unavailable while the scanner is away."""
        try:
            self.scanner.ping()
        except ScannerAway as error:
            raise Unavailable(str(error)) from error


class UploadScan:
    """The scan of one upload.

    The scanner sees the bytes as they arrive, and its verdict is awaited before they are durable. Where that failed on
    the way, because the scanner was restarted or did not wait for a slow client, it sees the durable content once more
    before the file becomes visible.
    """

    def __init__(self, scanning: Scanning, path: str, size: int | None) -> None:
        self._scanning = scanning
        self._path = path
        self._size = size
        self._seen = 0
        self._transaction: ScanTransaction | None = None
        self._over = False

    def beside(self, sink: Sink) -> Sink:
        """Return a sink that passes every block to `sink` and to the scanner."""
        return _ScannedSink(sink, self)

    def write(self, block: memoryview | bytes, /) -> None:
        """Send the next bytes; ContentRefused as soon as the scanner says so, TemporarilyUnavailable, TooLarge."""
        first = not self._seen
        self._seen += len(block)
        if self._over or not self._seen:
            return
        if self._scanning.scan.leaves_out(self._seen if self._size is None else self._size):
            self._leave_out()
            return
        try:
            if first:
                self._transaction = self._begin()
            if self._transaction is not None:
                self._transaction.write(block)
        except Blocked as blocked:
            raise self._refused(blocked) from blocked
        except ScannerAway as error:
            self.close()
            logs.get("scanning").warning("scan.broken", path=self._path, reason=str(error))

    @property
    def pending(self) -> bool:
        """Return whether the durable content has to be scanned because there is no verdict yet."""
        return not self._over

    def finish(self, staging: Staging) -> None:
        """Wait for the verdict on the bytes that were sent; ContentRefused, TemporarilyUnavailable."""
        self._over = self._over or not staging.size
        if self._over or self._transaction is None:
            return
        try:
            self._transaction.verdict(staging.size, staging.sha256)
            self._over = True
        except Blocked as blocked:
            raise self._refused(blocked) from blocked
        except ScannerSilent as error:
            self._without(error)
        except ScannerAway as error:
            logs.get("scanning").warning("scan.broken", path=self._path, reason=str(error))
        finally:
            self.close()

    def repeat(self, staging: Staging) -> None:
        """Scan the durable content where there is no verdict yet; ContentRefused, TemporarilyUnavailable."""
        if self._over:
            return
        try:
            self._send_all(staging)
            self._over = True
        except Blocked as blocked:
            raise self._refused(blocked) from blocked
        except ScannerAway as error:
            self._without(error)
        except OSError as error:
            raise TemporarilyUnavailable from error

    def close(self) -> None:
        """Close the connection to the scanner."""
        transaction, self._transaction = self._transaction, None
        if transaction is not None:
            transaction.close()

    def _begin(self) -> ScanTransaction | None:
        """Connect to the scanner; where uploads need a verdict, refuse at once while it is away."""
        try:
            return self._scanning.scanner.begin(self._path, self._size, patient=False)
        except ScannerAway as error:
            if self._scanning.scan.on_failure == "refuse":
                self._without(error)
            raise

    def _send_all(self, staging: Staging) -> None:
        transaction = self._scanning.scanner.begin(self._path, staging.size, patient=True)
        assert transaction is not None
        try:
            with contextlib.closing(self._scanning.open_content(staging.fileset)) as content:
                while block := content.read(_BLOCK):
                    transaction.write(block)
            transaction.verdict(staging.size, staging.sha256)
        finally:
            transaction.close()

    def _leave_out(self) -> None:
        self.close()
        if self._scanning.scan.on_large == "refuse":
            raise TooLarge
        self._over = True
        logs.get("scanning").warning("content.unscanned", path=self._path, reason="it is larger than max_size")

    def _without(self, error: ScannerAway) -> None:
        """Apply `on_failure` where there is no verdict; never accept a content that the scanner began to change."""
        accepted = self._scanning.scan.on_failure == "accept" and not error.begun
        logs.get("scanning").warning("content.unscanned", path=self._path, reason=str(error), accepted=accepted)
        if not accepted:
            raise TemporarilyUnavailable from error
        self._over = True

    def _refused(self, blocked: Blocked) -> RequestRejected:
        self.close()
        logs.get("scanning").warning("content.refused", path=self._path, virus=blocked.threat)
        return ContentRefused(blocked.threat)


class _ScannedSink:
    def __init__(self, sink: Sink, scan: UploadScan) -> None:
        self._sink = sink
        self._scan = scan

    def write(self, block: memoryview | bytes, /) -> None:
        """Pass the next bytes on: to `sink` first, whose limits may refuse them."""
        self._sink.write(block)
        self._scan.write(block)
