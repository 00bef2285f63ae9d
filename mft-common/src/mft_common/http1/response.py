"""Read a response from a connection: its head, then its body in large blocks."""

from collections.abc import Iterator
from typing import Final

from mft_common.http1.chunks import ChunkDecoder, MalformedChunks
from mft_common.http1.connection import BLOCK, Connection, Pool
from mft_common.http1.contract import UpstreamBroken
from mft_common.http1.response_head import MAX_HEAD, MalformedResponse, ResponseHead, parse_response_head

_FIRST_READ: Final = 64 << 10


class NoResponse(ConnectionError):  # noqa: N818 -- reads as what it is where it is raised
    """The connection ended before the first byte of a response."""


def read_response_head(connection: Connection, *, until_continue: bool = False) -> tuple[ResponseHead, bytes]:
    """Return the final head and the bytes after it; with `until_continue`, a 100 that nothing follows counts as final.

    Raises NoResponse, MalformedResponse, and the errors of the socket.
    """
    data = b""
    while True:
        end = data.find(b"\r\n\r\n")
        if end >= 0:
            head = parse_response_head(data[: end + 4])
            data = data[end + 4 :]
            if head.status >= 200 or (until_continue and head.status == 100 and not data):
                return head, data
            if head.status == 101:
                raise MalformedResponse("the service switched protocols unasked")
            continue
        if len(data) > MAX_HEAD:
            raise MalformedResponse("the head is too long")
        block = connection.receive(_FIRST_READ)
        if not block:
            if data:
                raise MalformedResponse("the head broke off")
            raise NoResponse("no response")
        data = data + block if data else block


class ResponseBody:
    """The body of a response as an iterator of blocks; its connection goes back to the pool once it is read.

    Raises UpstreamBroken where the body breaks off.
    """

    def __init__(self, connection: Connection, pool: Pool, head: ResponseHead, rest: bytes, *, reuse: bool) -> None:
        self._connection: Connection | None = connection
        self._pool = pool
        self._reuse = reuse and head.keep_alive
        if head.chunked:
            self._blocks = self._chunked(connection, rest)
        elif head.length is not None:
            self._blocks = self._counted(connection, rest, head.length)
        else:
            self._reuse = False
            self._blocks = self._to_the_end(connection, rest)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._blocks)
        except StopIteration:
            self._finish()
            raise
        except (OSError, MalformedResponse, MalformedChunks) as error:
            self.close()
            raise UpstreamBroken(f"the response is incomplete: {error}") from error

    def close(self) -> None:
        """Close the connection unless the body was read to its end."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _finish(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self._reuse:
            self._pool.release(connection)
        else:
            connection.close()

    @staticmethod
    def _receive(connection: Connection, size: int) -> bytes:
        block = connection.receive(size)
        if not block:
            raise MalformedResponse("the connection ended")
        return block

    def _counted(self, connection: Connection, rest: bytes, length: int) -> Iterator[bytes]:
        if len(rest) > length:
            # Bytes after the body answer no request.
            self._reuse = False
            rest = rest[:length]
        left = length - len(rest)
        if rest:
            yield rest
        while left:
            block = self._receive(connection, min(left, BLOCK))
            left -= len(block)
            yield block

    def _to_the_end(self, connection: Connection, rest: bytes) -> Iterator[bytes]:
        if rest:
            yield rest
        while block := connection.receive(BLOCK):
            yield block

    def _chunked(self, connection: Connection, rest: bytes) -> Iterator[bytes]:
        # Trailers are dropped: the head of the response is on its way to the client already.
        decoder = ChunkDecoder(connection.receive, rest)
        while block := decoder.read(BLOCK):
            yield block
        if decoder.buffered:
            self._reuse = False
