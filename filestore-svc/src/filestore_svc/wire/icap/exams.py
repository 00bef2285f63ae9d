"""Show one content to a scanner, block by block, and hear what it says."""

from collections.abc import Callable
from typing import Any

from filestore_svc.domain.scanning import Method
from filestore_svc.wire.icap import requests
from filestore_svc.wire.icap.answers import Answer
from filestore_svc.wire.icap.connections import Connection
from filestore_svc.wire.icap.failures import Blocked, ScannerAway


class Exam:
    """A content on its way through one connection, in constant memory.

    With a `preview` of so many bytes the scanner is shown those first, and the rest only when it asks for it. The
    connection is handed to `release` at the end, with whether it can be used again.
    """

    def __init__(
        self,
        connection: Connection,
        method: Method,
        head: bytes,
        preview: int | None,
        release: Callable[[Connection, Answer, bool], None],
    ) -> None:
        self._connection: Connection | None = connection
        self._method = method
        self._head = head
        self._preview = preview
        self._release = release
        self._held = bytearray()
        self._answer = Answer()
        # All of the message was sent: it ended with its last byte, or with a preview that was enough.
        self._whole = False

    def write(self, block: memoryview | bytes, /) -> None:
        """Show the next bytes; Blocked and ScannerAway as soon as that is known."""
        if self._over():
            return
        if self._preview is None:
            self._send(requests.chunk(block))
        else:
            self._held += block
            if len(self._held) > self._preview:
                self._show_preview(self._preview)

    def verdict(self, size: int, sha256: Any) -> None:
        """Return when the content is clean; Blocked, ScannerAway, ScannerSilent. `sha256` is a digest of all of it.

        Clean is what the scanner lets pass by a 204, or gives back byte by byte: whatever else it gives back is another
        content than the one that would be stored.
        """
        if not self._over():
            ending = requests.END if self._preview is None else requests.END_OF_ALL
            self._whole = self._send(requests.chunk(self._held) + ending)
        self._listen(lambda: self._answer.complete or self._refuses())
        self._judge()
        self._let_go(reusable=self._whole)
        answer = self._answer
        if answer.status == 200 and (answer.size, answer.sha256.digest()) != (size, sha256.digest()):
            raise Blocked(answer.threat)

    def close(self) -> None:
        """Break off, where no verdict was waited for."""
        self._let_go(reusable=False)

    def _show_preview(self, size: int) -> None:
        held, self._held, self._preview = bytes(self._held), bytearray(), None
        self._whole = self._send(requests.chunk(held[:size]) + requests.END)
        self._listen(lambda: self._answer.continued or self._answer.status > 0)
        if self._answer.continued:
            self._whole = False
            if not self._over():
                self._send(requests.chunk(held[size:]))

    def _send(self, data: bytes) -> bool:
        """Send; False where the answer made the end of it unnecessary."""
        data, self._head = self._head + data, b""
        return self._try(lambda connection: connection.send(data, self._answer, self._known))

    def _listen(self, enough: Callable[[], bool]) -> None:
        self._try(lambda connection: connection.listen(self._answer, enough))

    def _try(self, act: Callable[[Connection], bool]) -> bool:
        """Talk, and judge what was heard; whatever fails ends the exam."""
        if self._connection is None:
            raise ScannerAway("the exam is over")
        try:
            done = act(self._connection)
        except ScannerAway as error:
            self.close()
            error.begun = error.begun or 200 <= self._answer.status < 300
            raise
        except BaseException:
            self.close()
            raise
        self._judge()
        return done

    def _judge(self) -> None:
        answer = self._answer
        if self._refuses():
            self._let_go(reusable=self._whole)
            raise Blocked(answer.threat)
        if answer.status not in (0, 200, 204):
            self.close()
            begun = 200 <= answer.status < 300
            raise ScannerAway(f"the scanner answered {answer.status}", begun=begun)
        if answer.complete and answer.status == 200 and not answer.sections:
            self.close()
            raise ScannerAway("the scanner gave back nothing", begun=True)

    def _known(self) -> bool:
        """True once nothing that is still to be sent can change the answer."""
        return self._answer.complete or self._answer.status not in (0, 200) or self._refuses()

    def _over(self) -> bool:
        return self._connection is None or self._whole or self._known()

    def _refuses(self) -> bool:
        """True for what names a threat, and for a page of the scanner's own in place of the content."""
        answer = self._answer
        if answer.status not in (200, 204):
            return False
        # A request that is let through comes back as a request.
        other = self._method == "REQMOD" and "res-hdr" in answer.sections
        return bool(answer.threat) or other or answer.http_status >= 300

    def _let_go(self, *, reusable: bool) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._release(connection, self._answer, reusable)
