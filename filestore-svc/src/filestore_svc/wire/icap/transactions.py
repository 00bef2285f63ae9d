"""Send one content to a scanner, block by block, and read the verdict."""

from collections.abc import Callable
from typing import Any

from filestore_svc.domain.scanning import Method
from filestore_svc.wire.icap import requests
from filestore_svc.wire.icap.connections import Connection
from filestore_svc.wire.icap.errors import Blocked, ScannerAway
from filestore_svc.wire.icap.responses import IcapResponse


class ScanTransaction:
    """The scan of one content over one connection, in constant memory.

    With a `preview` that many bytes are sent first, and the rest only when the scanner asks for it. At the end
    `release` gets the connection, and whether it can be used again.
    """

    def __init__(
        self,
        connection: Connection,
        method: Method,
        head: bytes,
        preview: int | None,
        release: Callable[[Connection, IcapResponse, bool], None],
    ) -> None:
        self._connection: Connection | None = connection
        self._method = method
        self._head = head
        self._preview = preview
        self._release = release
        self._held = bytearray()
        self._response = IcapResponse()
        # The whole message was sent, or a preview that was sufficient.
        self._whole = False

    def write(self, block: memoryview | bytes, /) -> None:
        """Send the next bytes; Blocked and ScannerAway as soon as they are known."""
        if self._over():
            return
        if self._preview is None:
            self._send(requests.chunk(block))
        else:
            self._held += block
            if len(self._held) > self._preview:
                self._show_preview(self._preview)

    def verdict(self, size: int, sha256: Any) -> None:
        """Return when the content is clean; Blocked, ScannerAway, ScannerSilent. `sha256` is the digest of the content.

        A content is clean when the scanner answers 204 or returns the same bytes. Different bytes are refused: the
        stored content would not be the one that the scanner passed.
        """
        if not self._over():
            ending = requests.END if self._preview is None else requests.END_OF_ALL
            self._whole = self._send(requests.chunk(self._held) + ending)
        self._listen(lambda: self._response.complete or self._refuses())
        self._judge()
        self._let_go(reusable=self._whole)
        response = self._response
        if response.status == 200 and (response.size, response.sha256.digest()) != (size, sha256.digest()):
            raise Blocked(response.threat)

    def close(self) -> None:
        """Abort a scan without a verdict."""
        self._let_go(reusable=False)

    def _show_preview(self, size: int) -> None:
        held, self._held, self._preview = bytes(self._held), bytearray(), None
        self._whole = self._send(requests.chunk(held[:size]) + requests.END)
        self._listen(lambda: self._response.continued or self._response.status > 0)
        if self._response.continued:
            self._whole = False
            if not self._over():
                self._send(requests.chunk(held[size:]))

    def _send(self, data: bytes) -> bool:
        """Send; False where the response made the rest unnecessary."""
        data, self._head = self._head + data, b""
        return self._try(lambda connection: connection.send(data, self._response, self._known))

    def _listen(self, enough: Callable[[], bool]) -> None:
        self._try(lambda connection: connection.listen(self._response, enough))

    def _try(self, act: Callable[[Connection], bool]) -> bool:
        """Use the connection, then evaluate the response; every error ends the scan."""
        if self._connection is None:
            raise ScannerAway("the scan is over")
        try:
            done = act(self._connection)
        except ScannerAway as error:
            self.close()
            # A refusal holds although the connection broke before the end of its response.
            if self._refuses():
                raise Blocked(self._response.threat) from error
            error.begun = error.begun or 200 <= self._response.status < 300
            raise
        except BaseException:
            self.close()
            raise
        self._judge()
        return done

    def _judge(self) -> None:
        response = self._response
        if self._refuses():
            self._let_go(reusable=self._whole)
            raise Blocked(response.threat)
        if response.status not in (0, 200, 204):
            self.close()
            begun = 200 <= response.status < 300
            raise ScannerAway(f"the scanner answered {response.status}", begun=begun)
        if response.complete and response.status == 200 and not response.sections:
            self.close()
            raise ScannerAway("the scanner returned no content", begun=True)

    def _known(self) -> bool:
        """True once no byte that is still to be sent can change the verdict."""
        return self._response.complete or self._response.status not in (0, 200) or self._refuses()

    def _over(self) -> bool:
        return self._connection is None or self._whole or self._known()

    def _refuses(self) -> bool:
        """True for a response that names a threat or has a page of the scanner in place of the content."""
        response = self._response
        if response.status not in (200, 204):
            return False
        # A request that passes is returned as a request.
        other = self._method == "REQMOD" and "res-hdr" in response.sections
        return bool(response.threat) or other or response.http_status >= 300

    def _let_go(self, *, reusable: bool) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._release(connection, self._response, reusable)
