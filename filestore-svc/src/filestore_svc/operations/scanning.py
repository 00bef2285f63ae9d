"""Let a scanner look at uploads, and decide what becomes of one that it refuses or says nothing about."""

import contextlib
import io
from collections.abc import Callable
from typing import Final

from filestore_svc.domain.scanning import Scan
from filestore_svc.errors import ContentRefused, Refused, TemporarilyAway, TooLarge
from filestore_svc.store.blobs import Staging
from filestore_svc.wire.bodies import Sink
from filestore_svc.wire.icap import Blocked, Exam, Scanner, ScannerAway, ScannerSilent
from mft_common import logs
from mft_common.errors import Unavailable

_BLOCK: Final = 1 << 20

Open = Callable[[int], io.RawIOBase]


class Scanning:
    """The scanner of the configuration. `open_content` opens what is durable and not yet to be seen."""

    def __init__(self, scan: Scan, scanner: Scanner, open_content: Open) -> None:
        self.scan = scan
        self.scanner = scanner
        self.open_content = open_content

    def look(self, folder: str, name: str, size: int | None = None) -> "Look | None":
        """Begin to look at an upload; None in folders that are not looked at."""
        return Look(self, f"{folder}/{name}", size) if self.scan.covers(folder) else None

    def check(self) -> None:
        """Raise Unavailable while the scanner is away."""
        try:
            self.scanner.ping()
        except ScannerAway as error:
            raise Unavailable(str(error)) from error


class Look:
    """A look at one upload.

    The scanner sees the bytes as they arrive, and its verdict is waited for before they are durable. Where that went
    wrong on the way, because it was restarted or did not wait for a slow client, it is shown the content once more
    when it is durable, and before anybody else can see it.
    """

    def __init__(self, scanning: Scanning, path: str, size: int | None) -> None:
        self._scanning = scanning
        self._path = path
        self._size = size
        self._seen = 0
        self._exam: Exam | None = None
        self._over = False

    def beside(self, sink: Sink) -> Sink:
        """Return what writes to `sink` and shows the same to the scanner."""
        return _Beside(sink, self)

    def write(self, block: memoryview | bytes, /) -> None:
        """Show the next bytes; ContentRefused as soon as the scanner says so, TemporarilyAway, TooLarge."""
        first = not self._seen
        self._seen += len(block)
        if self._over or not self._seen:
            return
        if self._scanning.scan.leaves_out(self._seen if self._size is None else self._size):
            self._leave_out()
            return
        try:
            if first:
                self._exam = self._begin()
            if self._exam is not None:
                self._exam.write(block)
        except Blocked as blocked:
            raise self._refused(blocked) from blocked
        except ScannerAway as error:
            self.close()
            logs.get("scanning").warning("scan.broken", path=self._path, reason=str(error))

    def settle(self, staging: Staging) -> None:
        """Wait for the verdict on all that was shown; ContentRefused, TemporarilyAway."""
        self._over = self._over or not staging.size
        if self._over or self._exam is None:
            return
        try:
            self._exam.verdict(staging.size, staging.sha256)
            self._over = True
        except Blocked as blocked:
            raise self._refused(blocked) from blocked
        except ScannerSilent as error:
            self._without(error)
        except ScannerAway as error:
            logs.get("scanning").warning("scan.broken", path=self._path, reason=str(error))
        finally:
            self.close()

    def again(self, staging: Staging) -> None:
        """Show a durable content on which there is no verdict yet; ContentRefused, TemporarilyAway."""
        if self._over:
            return
        try:
            self._show(staging)
            self._over = True
        except Blocked as blocked:
            raise self._refused(blocked) from blocked
        except ScannerAway as error:
            self._without(error)
        except OSError as error:
            raise TemporarilyAway from error

    def close(self) -> None:
        """Break off."""
        exam, self._exam = self._exam, None
        if exam is not None:
            exam.close()

    def _begin(self) -> Exam | None:
        """Ask for the scanner; where nothing goes in without it, a client need not send all for nothing."""
        try:
            return self._scanning.scanner.exam(self._path, self._size, patient=False)
        except ScannerAway as error:
            if self._scanning.scan.on_failure == "refuse":
                self._without(error)
            raise

    def _show(self, staging: Staging) -> None:
        exam = self._scanning.scanner.exam(self._path, staging.size, patient=True)
        assert exam is not None
        try:
            with contextlib.closing(self._scanning.open_content(staging.fileset)) as content:
                while block := content.read(_BLOCK):
                    exam.write(block)
            exam.verdict(staging.size, staging.sha256)
        finally:
            exam.close()

    def _leave_out(self) -> None:
        self.close()
        if self._scanning.scan.on_large == "refuse":
            raise TooLarge
        self._over = True
        logs.get("scanning").warning("content.unscanned", path=self._path, reason="it is larger than max_size")

    def _without(self, error: ScannerAway) -> None:
        """Do what the configuration says where there is no verdict; never trust what was begun to be changed."""
        accepted = self._scanning.scan.on_failure == "accept" and not error.begun
        logs.get("scanning").warning("content.unscanned", path=self._path, reason=str(error), accepted=accepted)
        if not accepted:
            raise TemporarilyAway from error
        self._over = True

    def _refused(self, blocked: Blocked) -> Refused:
        self.close()
        logs.get("scanning").warning("content.refused", path=self._path, virus=blocked.threat)
        return ContentRefused(blocked.threat)


class _Beside:
    def __init__(self, sink: Sink, look: Look) -> None:
        self._sink = sink
        self._look = look

    def write(self, block: memoryview | bytes, /) -> None:
        """Take the next bytes: limits first, and what they refuse the scanner need not see."""
        self._sink.write(block)
        self._look.write(block)
