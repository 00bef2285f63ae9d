"""Read one file of an FTP server."""

from mft_common.endpoints.contract import BLOCK, Entry
from mft_common.endpoints.errors import Changed, Transient
from mft_common.endpoints.ftp import replies
from mft_common.endpoints.ftp.data import Data
from mft_common.endpoints.ftp.session import Connections, Session
from mft_common.endpoints.ftp.text import FromNetwork


class FtpReader:
    """An open source file. A binary file is whole when the server says so and as many bytes came as it has.

    A text (`text` is given) is whole when the server says so: its size at the server counts other line ends.
    """

    def __init__(
        self, connections: Connections, session: Session, data: Data, entry: Entry, full: str, *, start: int,
        text: FromNetwork | None,
    ) -> None:  # fmt: skip
        self.entry = entry
        self._connections = connections
        self._session: Session | None = session
        self._data = data
        self._full = full
        self._position = start
        self._text = text
        self._buffer = b""
        self._ended = False

    def read(self, size: int = BLOCK) -> bytes:
        """Return the next bytes, at most `size`, b"" at the end."""
        if self._text is None:
            return self._read(size)
        while not self._buffer and not self._ended:
            block = self._read(BLOCK)
            self._buffer = self._text.feed(block) if block else self._text.finish()
        block, self._buffer = self._buffer[:size], self._buffer[size:]
        return block

    def _read(self, size: int) -> bytes:
        if self._ended:
            return b""
        if self._session is None:
            raise Transient(f"{replies.shown(self.entry.path)}: the connection broke")
        try:
            block = self._data.read(size)
            self._position += len(block)
            if len(block) < size:
                self._finish(self._session)
        except BaseException:
            self._data.drop()
            self._session = None
            raise
        return block

    def _finish(self, session: Session) -> None:
        """Read the server's answer; raise unless the file came whole."""
        self._data.finish()
        name, expected = replies.shown(self.entry.path), self.entry.size
        if self._text is None and expected is not None and self._position < expected:
            raise Transient(f"{name}: {self._position} bytes came of {expected}")
        if self._data.ragged and (self._text is not None or self._position != expected):
            raise Transient(f"{name}: the end of the data was not confirmed by TLS, and may be a cut")
        self._ended = True
        self._session = None
        self._connections.give(session)

    def check(self) -> None:
        """Raise Changed unless the file has the size and time at the server that it was opened with."""
        path, size = replies.shown(self.entry.path), self.entry.size
        if self._ended and self._text is None and size is not None and self._position != size:
            raise Changed(f"{path}: the source changed while it was read")
        if not self.entry.version:
            return
        with self._connections.session() as session:
            line = session.lookup(self._full, self.entry.path)
        if line is not None and line.version != self.entry.version:
            raise Changed(f"{path}: the source changed while it was read")

    def close(self) -> None:
        """End the transfer; the connection of one that was not read to its end is closed."""
        if self._session is not None:
            self._session = None
            self._data.drop()
