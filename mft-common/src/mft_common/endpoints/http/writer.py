"""Store one file by one PUT, whose last byte is held back until the commit."""

import hashlib
from contextlib import closing, suppress
from dataclasses import replace
from http.client import HTTPConnection, HTTPException
from typing import Final

from mft_common.endpoints.contract import Begins, Checkpoint, Entry, IfExists, Stored, Verify, note_nothing
from mft_common.endpoints.errors import Exists, Mismatch, NotFound, NotSent, TransferError, Transient, Unsupported
from mft_common.endpoints.http.connection import Connection
from mft_common.endpoints.http.errors import http_errors, of_status
from mft_common.endpoints.http.headers import encoding_of, length_of
from mft_common.endpoints.http.reader import HttpReader
from mft_common.endpoints.names import printable
from mft_common.endpoints.one_commit import OneCommit
from mft_common.endpoints.sending import send_all

_ANSWER: Final = 1 << 16
# How long to wait for the answer of a server that has closed its side.
_EARLY_S: Final = 2.0


class HttpWriter:
    """A file on its way in: one PUT of known length, or in chunks.

    The server cannot take the request for complete before `commit`: until then the last block, or the end of the
    chunks, is held back. `temporary` is the path itself: no other name is made. Whether the server shows an incomplete
    file, or replaces a former one in one step, is its own affair.
    """

    def __init__(self, connection: Connection, path: str, *, size: int | None, if_exists: IfExists) -> None:
        self.temporary = path
        self._connection = connection
        self._resource = connection.resource(path)
        self._path = path
        self._shown = printable(path)
        self._size = size
        self._if_exists = if_exists
        self._put: HTTPConnection | None = None
        self._held = b""
        self._fed = 0
        self._sealed = Stored(0, "")
        # Whether the end of the request was sent once: only a file of one block can be sent again.
        self._ended = False
        self._commit = OneCommit(
            self._shown, exclusive=if_exists == "fail", send=self._finish, is_ours=self._is_stored, check=self._checked
        )

    def begin(self, begins: Begins = note_nothing) -> int:
        """Look whether the file may be replaced; a PUT begins at byte 0."""
        begins(self.temporary)
        if self._if_exists == "fail":
            self._require_absent()
        return 0

    def feed(self, block: bytes | memoryview) -> None:
        """Send what was held, and hold this block."""
        if not block:
            return
        self._fed += len(block)
        if self._size is not None and self._fed > self._size:
            raise Mismatch(f"{self._shown}: more bytes came than were declared")
        self._send_held()
        self._held = bytes(block)

    def flush(self) -> Checkpoint:
        """Return 0: no byte of an incomplete PUT can be counted on."""
        return Checkpoint(0)

    def seal(self, size: int, sha256: str, verify: Verify) -> bool:
        """Compare the number of bytes that were sent: a server tells neither size nor digest before the last one."""
        del verify
        if self._fed != size or self._size not in {None, size}:
            raise Mismatch(f"{self._shown}: {self._fed} bytes were sent of {size}")
        self._sealed = Stored(size, sha256, replaced=False if self._if_exists == "fail" else None)
        return True

    def commit(self) -> Stored:
        """Send the end, and wait for the server's answer; compare the file's size where the server tells it.

        An answer that got lost is made up for by reading the file back; only a file of one block can be sent again.
        """
        return self._commit.run(self._sealed)

    def abort(self, *, keep: bool = False) -> Stored | None:
        """Break the connection before the request is complete."""
        del keep
        self._close()
        self._held = b""
        return self._commit.found()

    def _finish(self) -> None:
        """Send the last block and the end of the request, and take the answer."""
        if self._ended and self._fed != len(self._held):
            raise Mismatch(f"{self._shown}: the server did not store the file")
        if self._if_exists == "fail":
            self._look_again()
        self._ended = True
        try:
            put = self._send_end()
            with http_errors(self._shown):
                answer = put.getresponse()
                answer.read(_ANSWER)
            status = answer.status
            if answer.isclosed() and not answer.will_close:
                self._put = None
                self._connection.keep_upload(put)
        finally:
            self._close()
        if not 200 <= status < 300:
            raise self._refusal(status)
        # 204: the server has replaced a file, 201: it has made a new one. (RFC 9110, 9.3.4)
        self._sealed = replace(self._sealed, replaced={201: False, 204: True}.get(status, self._sealed.replaced))

    def _look_again(self) -> None:
        """Look for a file that came during the upload: not every server knows the condition of the request."""
        try:
            self._require_absent()
        except Transient as error:
            raise NotSent(str(error)) from error

    def _send_end(self) -> HTTPConnection:
        """Send the last block and the end of the request; NotSent where the server cannot take it for complete."""
        try:
            self._send_held()
            put = self._opened()
            if self._size is None:
                with http_errors(self._shown):
                    put.send(b"0\r\n\r\n")
        except Transient as error:
            raise NotSent(str(error)) from error
        return put

    def _send_held(self) -> None:
        """Send what is held; a server that refuses before the end of the body is asked why."""
        if not self._held:
            return
        put = self._opened()
        content = self._held
        if self._size is None:
            content = b"%x\r\n%b\r\n" % (len(content), content)
        try:
            with http_errors(self._shown):
                send_all(put.sock, content)
        except Transient:
            if status := _early_status(put):
                raise self._refusal(status) from None
            raise

    def _opened(self) -> HTTPConnection:
        """Return the connection, on which the head of the request was sent."""
        if self._put is None:
            with http_errors(self._shown):
                self._put = self._connection.open_upload()
                self._put.putrequest("PUT", self._resource, skip_accept_encoding=True)
                for name, value in {**self._connection.headers, **self._more_headers()}.items():
                    self._put.putheader(name, value)
                self._put.endheaders()
        return self._put

    def _more_headers(self) -> dict[str, str]:
        length = {"Transfer-Encoding": "chunked"} if self._size is None else {"Content-Length": str(self._size)}
        condition = {"If-None-Match": "*"} if self._if_exists == "fail" else {}
        return {"Content-Type": "application/octet-stream", **length, **condition}

    def _refusal(self, status: int) -> TransferError:
        if 300 <= status < 400:
            return Unsupported(
                f"{self._shown}: the server redirects the upload: name the other address as the endpoint"
            )
        return of_status(status, self._shown)

    def _checked(self) -> Stored:
        """Compare the size where the server tells it, and take the version from the answer."""
        with closing(self._connection.request("HEAD", self._path)) as answer:
            if answer.status != 200 or encoding_of(answer.headers):
                return self._sealed
            size = length_of(answer.headers)
            if size not in {None, self._sealed.size}:
                raise Mismatch(f"{self._shown}: the server has stored {size} bytes of {self._sealed.size}")
            return replace(self._sealed, version=answer.headers.get("ETag", ""))

    def _is_stored(self) -> bool:
        """Read the file back and compare; a server that refuses that does not tell."""
        digest, size = hashlib.sha256(), 0
        try:
            reader = HttpReader(self._connection, Entry(self._path), 0)
            try:
                while block := reader.read():
                    digest.update(block)
                    size += len(block)
            finally:
                reader.close()
        except NotFound:
            return False
        return (size, digest.hexdigest()) == (self._sealed.size, self._sealed.sha256)

    def _require_absent(self) -> None:
        with closing(self._connection.request("HEAD", self._path)) as answer:
            if answer.status == 200:
                raise Exists(f"{self._shown}: exists already")
            if answer.status >= 500 or answer.status == 401:
                raise of_status(answer.status, self._shown)

    def _close(self) -> None:
        put, self._put = self._put, None
        if put is not None:
            put.close()


def _early_status(put: HTTPConnection) -> int:
    """Return the status that a server sent before it closed the connection, 0 for none."""
    with suppress(HTTPException, OSError):
        put.sock.settimeout(_EARLY_S)
        return put.getresponse().status
    return 0
