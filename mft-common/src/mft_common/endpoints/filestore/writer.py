"""Write a file into filestore-svc: a resumable upload that is begun, appended to, sealed and committed."""

import contextlib
import http.client
import socket
import tempfile
import time
from typing import IO, Any, Final

from mft_common.endpoints.contract import BLOCK, Begins, Checkpoint, IfExists, Stored, Verify, note_nothing
from mft_common.endpoints.errors import Exists, Mismatch, NotFound, TransferError, Transient, os_errors
from mft_common.endpoints.filestore.calls import Calls, answering, content, quoted
from mft_common.endpoints.names import temporary_name
from mft_common.endpoints.sending import send_all

# How long a commit is waited for in all; filestore-svc answers each request within 20 s, that it is still at work.
_COMMIT_S: Final = 120.0


class FilestoreWriter:
    """One file on its way into filestore-svc, sent in one request as long as nothing interrupts it.

    filestore-svc has to know a file's size when its upload begins, for quotas and limits: a file of unknown size waits
    in a file without a name until it is complete.
    """

    def __init__(
        self, calls: Calls, folder: str, path: str, *, token: str, size: int | None, resume: Checkpoint | None,
        if_exists: IfExists, spool: str | None,
    ) -> None:  # fmt: skip
        above, slash, name = path.rpartition("/")
        self.temporary = f"{above}{slash}{temporary_name(name, token)}"
        self._calls = calls
        self._folder = folder
        self._path = path
        self._token = token
        self._size = size
        self._if_exists = if_exists
        self._spool_folder = spool
        self._spool: IO[bytes] | None = None
        self._upload = str(resume.state.get("upload", "")) if resume is not None else ""
        # Whether an upload may have been begun whose id no answer has told.
        self._unknown = False
        self._position = 0
        self._sending: http.client.HTTPConnection | None = None

    def begin(self, begins: Begins = note_nothing) -> int:
        """Begin an upload, or ask how far an earlier one is; filestore-svc checks folder, name, limits and quotas."""
        begins(self.temporary)
        if self._upload:
            with contextlib.suppress(NotFound):
                self._position = int(self._call("GET")["received"])
                return self._position
            self._upload = ""
        if self._size is None:
            if self._if_exists == "fail":
                self._refuse_existing()
            with os_errors(self._path):
                self._spool = tempfile.TemporaryFile(dir=self._spool_folder)  # noqa: SIM115 -- closed by seal and abort
            return 0
        self._begin_upload(self._size)
        return 0

    def feed(self, block: bytes | memoryview) -> None:
        """Send the next bytes."""
        if self._spool is not None:
            with os_errors(self._path):
                self._spool.write(block)
            return
        size = self._size or 0
        if self._position + len(block) > size:
            raise Mismatch(f"{self._path}: more bytes came than were declared")
        if not block:
            return
        if self._sending is None:
            headers = {"Upload-Offset": str(self._position)}
            self._sending = self._start("PATCH", headers=headers, length=size - self._position)
        try:
            send_all(self._sending.sock, block)
        except OSError as error:
            # A refusal may have come before all bytes were sent.
            self._finish()
            raise Transient(f"{self._path}: the connection to filestore broke") from error
        self._position += len(block)
        if self._position == size:
            self._finish()

    def flush(self) -> Checkpoint:
        """Let filestore-svc keep what was sent: the request is cut, and what came before that is durable."""
        if not self._upload:
            return Checkpoint(0)
        self._cut()
        received = int(self._call("GET")["received"])
        if received != self._position:
            raise Transient(f"{self._path}: filestore has {received} bytes of {self._position}")
        return Checkpoint(received, {"upload": self._upload})

    def seal(self, size: int, sha256: str, verify: Verify) -> bool:
        """Let filestore-svc make the bytes durable, digest and scan them; compare size and digest.

        Returns False where that takes longer than a request waits.
        """
        if self._spool is not None:
            self._send_spool(size)
        if self._position != size or self._size != size:
            self._cut()
            raise Mismatch(f"{self._path}: {self._position} bytes were sent of {size}")
        sealed = self._call("POST", "/seal", statuses={404: Transient, 409: Transient})
        if sealed is None:
            return False
        if sealed["size"] != size or (verify == "sha256" and sealed["sha256"].lower() != sha256):
            raise Mismatch(f"{self._path}: filestore holds another size or checksum than the bytes that were sent")
        return True

    def commit(self) -> Stored:
        """Make the file visible; a repeated call returns the result of the first."""
        until = time.monotonic() + _COMMIT_S
        while (stored := self._call("POST", "/commit", statuses={404: Mismatch})) is None:
            if time.monotonic() > until:
                raise Transient(f"{self._path}: filestore is still at work on it")
        return _stored(stored)

    def abort(self, *, keep: bool = False) -> Stored | None:
        """End the upload; filestore-svc answers with the file where it was committed already."""
        self._close_spool()
        with contextlib.suppress(TransferError):
            self._cut()
        if self._unknown:
            self._end_unknown()
        if not self._upload or keep:
            return None
        try:
            found = self._call("DELETE")["stored"]
        except NotFound:
            found = None
        self._upload = ""
        return None if found is None else _stored(found)

    def _refuse_existing(self) -> None:
        with contextlib.suppress(NotFound):
            connection, answer = self._calls.opened("HEAD", f"files/{quoted(self._folder, self._path)}", self._path)
            answer.close()
            connection.close()
            raise Exists(f"{self._path}: exists already")

    def _begin_upload(self, size: int) -> None:
        headers = {
            "Upload-Length": str(size),
            "X-If-Exists": self._if_exists,
            "X-Datatype": "application/octet-stream",
            "X-Token": self._token,
        }
        self._unknown = True
        try:
            answer = self._calls.call("POST", self._place(), self._path, headers=headers)
        except Transient:
            raise
        except TransferError:
            # Refused for certain: no upload was begun.
            self._unknown = False
            raise
        self._upload, self._unknown = str(answer["upload"]), False

    def _end_unknown(self) -> None:
        """End the uploads of this token to this path: an answer that would have told the id was lost."""
        with contextlib.suppress(NotFound):
            self._calls.call("DELETE", self._place(), self._path, query={"token": self._token})
        self._unknown = False

    def _place(self) -> str:
        return f"uploads/{quoted(self._folder, self._path)}"

    def _send_spool(self, size: int) -> None:
        assert self._spool is not None
        spool, self._spool = self._spool, None
        try:
            with os_errors(self._path):
                found = spool.tell()
                # Writes what is still in memory, which a full disk refuses.
                spool.seek(0)
            if found != size:
                raise Mismatch(f"{self._path}: {found} bytes came of {size}")
            self._size = size
            self._begin_upload(size)
            while block := self._spooled(spool):
                self.feed(block)
        finally:
            _close(spool)

    def _spooled(self, spool: IO[bytes]) -> bytes:
        with os_errors(self._path):
            return spool.read(BLOCK)

    def _close_spool(self) -> None:
        spool, self._spool = self._spool, None
        if spool is not None:
            _close(spool)

    def _finish(self) -> None:
        """Read the answer to the request that sends, after its last byte or where it was refused before."""
        connection, self._sending = self._sending, None
        if connection is None:
            return
        with contextlib.closing(connection), answering(self._path), connection.getresponse() as answer:
            content(answer, self._path, {409: Transient})

    def _cut(self) -> None:
        """End the sending request before its declared length, and wait until filestore-svc has kept what came."""
        connection, self._sending = self._sending, None
        if connection is None:
            return
        with contextlib.closing(connection), answering(self._path):
            connection.sock.shutdown(socket.SHUT_WR)
            while connection.sock.recv(1 << 16):
                continue

    def _start(self, method: str, **options: Any) -> http.client.HTTPConnection:
        return self._calls.start(method, f"upload/{self._upload}", self._path, **options)

    def _call(self, method: str, step: str = "", **options: Any) -> Any:
        return self._calls.call(method, f"upload/{self._upload}{step}", self._path, **options)


def _close(spool: IO[bytes]) -> None:
    """Close a file without a name; that it could not be written is of no interest any more."""
    with contextlib.suppress(OSError):
        spool.close()


def _stored(answer: dict[str, Any]) -> Stored:
    return Stored(answer["size"], answer["sha256"].lower(), str(answer["fileset"]), answer["replaced"] is not None)
