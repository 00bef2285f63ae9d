"""Keep many requests for data outstanding, while the caller reads or writes block by block."""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Awaitable
from typing import Final, TypeVar

import asyncssh

from mft_common.endpoints.errors import DiskFull, TransferError, Transient
from mft_common.endpoints.sftp.connection import Connection, Session
from mft_common.endpoints.sftp.problems import LOST, of_error

T = TypeVar("T")

# Bytes asked for, or sent and not yet answered, of one file: three times 4 MiB.
WINDOW: Final = 12 << 20


class _Window:
    """The common part of both directions: a condition, the first error, and a wait that ends when nothing moves."""

    def __init__(self, connection: Connection, session: Session, name: str) -> None:
        self._connection = connection
        self._session = session
        self._name = name
        self._changed = threading.Condition()
        self._progress = 0
        self._error: TransferError | None = None

    def _moved(self) -> None:
        """Count an answer and wake the caller; `_changed` is held."""
        self._progress += 1
        self._changed.notify_all()

    def _failed(self, error: TransferError) -> None:
        with self._changed:
            self._error = self._error or error
            self._moved()

    async def _request(self, request: Awaitable[T]) -> T:
        """Await one of several outstanding requests: it may take long while others are answered."""
        try:
            return await request
        except (asyncssh.Error, OSError, EOFError) as error:
            if isinstance(error, LOST):
                self._connection.drop(self._session)
            raise of_error(error, self._name) from error

    def _wait(self) -> None:
        """Wait for the next answer; `_changed` is held. Transient, and the connection dropped, after the idle limit."""
        seen = self._progress
        if not self._changed.wait_for(lambda: self._progress != seen, self._connection.idle):
            error = Transient(f"{self._name}: the server did not answer for {self._connection.idle:g} s")
            self._error = error
            self._connection.loop.submit(self._connection.drop, self._session)
            raise error


class ReadAhead(_Window):
    """Reads a file in order from `start` on; with the expected `size`, no request but one goes beyond it."""

    def __init__(
        self,
        connection: Connection,
        session: Session,
        file: asyncssh.SFTPClientFile,
        name: str,
        *,
        start: int,
        size: int | None,
    ) -> None:
        super().__init__(connection, session, name)
        self._file = file
        self._size = size
        self._length = session.read_size
        self._next = start
        self._asked = 0
        self._past_size = False
        self._blocks: deque[bytes] = deque()
        self._buffered = 0
        self._ended = False
        # Whether the task waits, or is about to wait, until the caller takes a block.
        self._full = False
        self._room = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._run())

    def take(self, most: int) -> bytes:
        """Return the next bytes, at most `most`, b"" at the end of the file; blocks that came before an error first."""
        with self._changed:
            while not self._blocks:
                if self._error is not None:
                    raise self._error
                if self._ended:
                    return b""
                self._wait()
            block = self._blocks.popleft()
            if len(block) > most:
                self._blocks.appendleft(block[most:])
                block = block[:most]
            self._buffered -= len(block)
            wakes, self._full = self._full, False
        if wakes:
            self._connection.loop.submit(self._room.set)
        return block

    def cancel(self) -> None:
        """Stop asking."""
        self._connection.loop.submit(self._task.cancel)

    async def _run(self) -> None:
        outstanding: deque[tuple[int, int, asyncio.Task[bytes]]] = deque()
        try:
            while True:
                self._ask(outstanding)
                if not outstanding:
                    if self._past_size:
                        break
                    await self._consumed()
                    continue
                offset, length, task = outstanding[0]
                block = await task
                outstanding.popleft()
                self._asked -= length
                if not block:
                    break
                if len(block) < length:
                    # A server may answer less than it was asked for; the rest of the range is asked for again.
                    rest = length - len(block)
                    outstanding.appendleft((offset + len(block), rest, self._read(offset + len(block), rest)))
                with self._changed:
                    self._blocks.append(block)
                    self._buffered += len(block)
                    self._moved()
            with self._changed:
                self._ended = True
                self._moved()
        except asyncio.CancelledError:
            self._failed(Transient(f"{self._name}: the connection was closed meanwhile"))
            raise
        except TransferError as error:
            self._failed(error)
        finally:
            for _, _, task in outstanding:
                task.cancel()

    async def _consumed(self) -> None:
        """Wait until the caller has taken enough to ask for more."""
        self._room.clear()
        with self._changed:
            self._full = self._buffered >= WINDOW
            waits = self._full
        if waits:
            await self._room.wait()

    def _ask(self, outstanding: deque[tuple[int, int, asyncio.Task[bytes]]]) -> None:
        with self._changed:
            buffered = self._buffered
        while buffered + self._asked < WINDOW and not self._past_size:
            length = self._length
            if self._size is not None:
                if self._next < self._size:
                    length = min(length, self._size - self._next)
                else:
                    # This one finds out that the file ends there, or that it has grown.
                    self._past_size = True
            outstanding.append((self._next, length, self._read(self._next, length)))
            self._next += length

    def _read(self, offset: int, length: int) -> asyncio.Task[bytes]:
        self._asked += length
        task = asyncio.get_running_loop().create_task(self._request(read_range(self._file, length, offset)))
        task.add_done_callback(_retrieve)
        return task


class WriteBehind(_Window):
    """Writes a file from `position` on; `feed` returns while at most a window of bytes is unanswered."""

    def __init__(
        self, connection: Connection, session: Session, file: asyncssh.SFTPClientFile, name: str, position: int
    ) -> None:
        super().__init__(connection, session, name)
        self._file = file
        self._length = session.write_size
        self._rest = bytearray()
        self._unanswered = 0
        self._tasks: set[asyncio.Task[None]] = set()
        # The byte up to which requests were sent; `position` counts what was fed.
        self._sent = position
        self.position = position

    def feed(self, block: bytes | memoryview) -> None:
        """Take the next bytes, waiting for answers while the window is full; raises the first error met."""
        view = memoryview(block)
        self.position += len(view)
        chunks: list[bytes] = []
        if self._rest:
            taken = self._length - len(self._rest)
            self._rest += view[:taken]
            view = view[taken:]
            if len(self._rest) == self._length:
                chunks.append(bytes(self._rest))
                self._rest.clear()
        whole = len(view) - len(view) % self._length
        chunks += [bytes(view[at : at + self._length]) for at in range(0, whole, self._length)]
        self._rest += view[whole:]
        self._send(chunks)

    def drain(self) -> None:
        """Wait until every request is answered, and raise the first error met; `write_rest` sends what is left."""
        with self._changed:
            while self._unanswered and self._error is None:
                self._wait()
            self._raise()

    def hold(self, block: bytes | bytearray) -> None:
        """Take the next bytes for `write_rest`."""
        self.position += len(block)
        self._rest += block

    async def write_rest(self) -> None:
        """Send what is left, one request after the other, and await the answers on the loop's thread."""
        while chunk := bytes(self._rest[: self._length]):
            del self._rest[: len(chunk)]
            self._unanswered += len(chunk)
            offset, self._sent = self._sent, self._sent + len(chunk)
            try:
                await self._connection.answer(self._write(chunk, offset), self._session)
            except OSError as error:
                raise of_error(error, self._name) from error
            self._raise()

    def cancel(self) -> None:
        """Forget the requests that are not answered yet."""
        self._failed(Transient(f"{self._name}: the upload was broken off"))
        self._connection.loop.submit(self._cancel_all)

    def _send(self, chunks: list[bytes]) -> None:
        """Hand the chunks to the loop once the window has room for all of them: it is woken once for a block."""
        size = sum(map(len, chunks))
        if not size:
            return
        with self._changed:
            while self._unanswered and self._unanswered + size > WINDOW and self._error is None:
                self._wait()
            self._raise()
            self._unanswered += size
        self._connection.loop.submit(self._start, chunks, self._sent)
        self._sent += size

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _start(self, chunks: list[bytes], offset: int) -> None:
        for chunk in chunks:
            task = asyncio.get_running_loop().create_task(self._write(chunk, offset))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            offset += len(chunk)

    async def _write(self, chunk: bytes, offset: int) -> None:
        try:
            await self._request(self._file.write(chunk, offset))
        except asyncio.CancelledError:
            self._failed(Transient(f"{self._name}: the connection was closed meanwhile"))
            raise
        except TransferError as error:
            self._failed(await self._explained(error, len(chunk)))
        else:
            with self._changed:
                self._unanswered -= len(chunk)
                self._moved()

    async def _explained(self, error: TransferError, needed: int) -> TransferError:
        """Return DiskFull for a failure without a reason where the disk has no room: OpenSSH does not say so itself."""
        if not isinstance(error.__cause__, asyncssh.SFTPFailure):
            return error
        with contextlib.suppress(asyncssh.Error, OSError, EOFError):
            disk = await self._connection.answer(self._file.statvfs(), self._session)
            if disk.bavail * disk.frsize < needed:
                return DiskFull(f"{self._name}: there is no room for it")
        return error

    def _cancel_all(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()


async def read_range(file: asyncssh.SFTPClientFile, length: int, offset: int) -> bytes:
    """Return at most `length` bytes from `offset` on, b"" at the end of the file, with one request."""
    block: bytes = await file.read(length, offset)
    return block


def _retrieve(task: asyncio.Task[bytes]) -> None:
    """Look at a task's error, so that asyncio does not report one of a request that is not needed any more."""
    if not task.cancelled():
        task.exception()
