"""Send the parts of one multipart upload, several at a time, in memory that does not grow with the file."""

import contextlib
import threading
from collections import deque
from concurrent.futures import Future, wait
from typing import Final

from mft_common.backoff import Backoff
from mft_common.endpoints.errors import Denied, Mismatch, Transient, Unsupported
from mft_common.endpoints.names import printable
from mft_common.endpoints.s3.bucket import Bucket, Part

# A bucket takes at most 10,000 parts, and all but the last one must have at least 5 MiB.
MOST_PARTS: Final = 10_000
_PART: Final = 8 << 20
# The part for a size that is not known: room for 312 GiB.
_PART_OF_UNKNOWN: Final = 32 << 20
_AT_ONCE_BYTES: Final = 32 << 20
# Parts that are on their way and those being filled, of all writers of a process.
_MOST_BYTES: Final = 32 << 20
# A file of unknown size takes nothing before it is larger than this.
_UNCOUNTED: Final = 1 << 20
# After how many seconds in which nothing changed a writer takes more than there is.
_PATIENCE_S: Final = 2.0
_TRIES: Final = 3
# How long an abort waits for the parts that are on their way: a store that never answers must not hold up a stop.
_STOP_S: Final = 1.0


def part_size(size: int | None) -> int:
    """Return the size of the parts of a file of `size` bytes, a multiple of 1 MiB."""
    if size is None:
        return _PART_OF_UNKNOWN
    return max(_PART, -(-size // (MOST_PARTS << 20)) << 20)


class Room:
    """The memory for the parts that the writers of a process hold: `most` bytes, those being filled included.

    While parts are on their way a writer waits until one has arrived. Where none is for a while, all of the memory
    belongs to parts that are being filled: their sources may be slow, or the thread that waits fills them. Then one
    writer takes more than there is.
    """

    def __init__(self, most: int = _MOST_BYTES, patience: float = _PATIENCE_S) -> None:
        self._most = most
        self._patience = patience
        self._taken = 0
        self._sending = 0
        self._changes = 0
        self._changed = threading.Condition()

    @property
    def taken(self) -> int:
        """The bytes that are held at present."""
        return self._taken

    def take(self, size: int) -> None:
        """Wait until there is room for `size` bytes, and take it."""
        with self._changed:
            while self._taken and self._taken + size > self._most:
                changes = self._changes
                self._changed.wait(self._patience)
                if self._changes == changes and not self._sending:
                    break
            self._taken += size
            self._note()

    def sends(self) -> None:
        """Note that a part is on its way."""
        with self._changed:
            self._sending += 1

    def give(self, size: int, *, sent: bool = False) -> None:
        """Give room back, with `sent` that of a part that was on its way."""
        with self._changed:
            self._taken -= size
            self._sending -= sent
            self._note()

    def _note(self) -> None:
        self._changes += 1
        self._changed.notify_all()


# The endpoints of a process share it.
ROOM: Final = Room()


class Held:
    """The bytes of the part that a writer fills, in memory that is taken from a Room as they come.

    `expected` is the number of bytes of a full part, or of the whole file where that is known to be less.
    """

    def __init__(self, room: Room, expected: int) -> None:
        self._room = room
        self._expected = expected
        self._taken = 0
        self._memory = bytearray()
        self.size = 0

    def add(self, block: memoryview) -> None:
        """Add bytes to the part."""
        end = self.size + len(block)
        if end > self._taken and (end > _UNCOUNTED or self._expected <= _PART):
            more = max(self._expected, end) - self._taken
            self._room.take(more)
            self._taken += more
            # At once: memory that grows is copied, and is more than is needed.
            grown = bytearray(self._taken)
            grown[: self.size] = self._memory[: self.size]
            self._memory = grown
        self._memory[self.size : end] = block
        self.size = end

    def content(self) -> bytearray:
        """Return the bytes of the part."""
        del self._memory[self.size :]
        return self._memory

    def hand_over(self) -> tuple[bytearray, int]:
        """Return the content and the bytes of the room that it has, which the caller gives back; hold nothing."""
        content, taken = self.content(), self._taken
        self._memory, self.size, self._taken = bytearray(), 0, 0
        return content, taken

    def release(self) -> None:
        """Drop the content, and give its room back."""
        self._room.give(self.hand_over()[1])


class Parts:
    """The parts of one upload, numbered in the order of `send`; at most 32 MiB of them, or one, are on their way."""

    def __init__(self, bucket: Bucket, path: str, size: int, room: Room) -> None:
        self._bucket = bucket
        self._room = room
        self._path = path
        self._at_once = max(1, _AT_ONCE_BYTES // size)
        self._stored: list[Part] = []
        self._sending: deque[Future[Part]] = deque()
        self._stopped = threading.Event()

    def resume(self, upload: str, position: int) -> bool:
        """Take the stored parts that make up the first `position` bytes; return False where there are none such.

        NotFound where the upload is gone. Parts behind them are replaced by those that are sent.
        """
        found: list[Part] = []
        end = 0
        for number, part in enumerate(self._bucket.parts(self._path, upload), 1):
            if part.number != number or end >= position:
                break
            found.append(part)
            end += part.size
        self._stored = found if end == position else []
        return bool(self._stored)

    def send(self, upload: str, held: Held) -> None:
        """Send the next part, with the memory that it holds; raises what went wrong with an earlier one."""
        number = len(self._stored) + len(self._sending) + 1
        if number > MOST_PARTS:
            raise Unsupported(f"{printable(self._path)}: an object has at most {MOST_PARTS} parts")
        if len(self._sending) >= self._at_once:
            self._take()
        part: Future[Part] = Future()
        content, taken = held.hand_over()
        # A thread of its own, for which the end of the process does not wait as it does for those of an executor.
        sender = threading.Thread(
            target=self._run, args=(part, upload, number, content, taken), name="part", daemon=True
        )
        # The thread alone keeps the content.
        del content
        self._room.sends()
        try:
            sender.start()
        except BaseException:
            self._room.give(taken, sent=True)
            raise
        self._sending.append(part)

    def wait(self) -> int:
        """Wait until every part is stored; return their size together."""
        while self._sending:
            self._take()
        return self._size()

    def all(self) -> list[Part]:
        """Return the stored parts."""
        return self._stored

    def listed_size(self, upload: str) -> int:
        """Return the size of the parts as the bucket lists them, or as they were sent where it refuses the list."""
        try:
            listed = {part.number: part for part in self._bucket.parts(self._path, upload)}
        except (Denied, Unsupported):
            return self._size()
        if any(listed.get(part.number, part).etag != part.etag for part in self._stored):
            raise Mismatch(f"{printable(self._path)}: the bucket lists other parts than were sent")
        return sum(listed[part.number].size for part in self._stored if part.number in listed)

    def stop(self) -> None:
        """Wait for the parts that are on their way, whatever becomes of them; Transient where they do not end soon."""
        self._stopped.set()
        unfinished = wait(self._sending, _STOP_S).not_done
        self._sending.clear()
        if unfinished:
            raise Transient(f"{printable(self._path)}: {len(unfinished)} parts are still on their way")

    def _size(self) -> int:
        return sum(part.size for part in self._stored)

    def _take(self) -> None:
        self._stored.append(self._sending[0].result())
        self._sending.popleft()

    def _run(self, part: Future[Part], upload: str, number: int, content: bytearray, taken: int) -> None:
        try:
            stored = self._upload(upload, number, content)
        except BaseException as error:  # noqa: BLE001 -- the one who waits for the part gets it
            failure: BaseException | None = error
        else:
            failure = None
        # Before the room is given back: the memory of the part is what it stands for.
        with contextlib.suppress(BufferError):
            content.clear()
        self._room.give(taken, sent=True)
        if failure is not None:
            part.set_exception(failure)
        else:
            part.set_result(stored)

    def _upload(self, upload: str, number: int, content: bytearray) -> Part:
        """Send a part up to three times: the same number and content again replace what may have arrived."""
        pauses = Backoff(0.2, 2.0)
        for left in reversed(range(_TRIES)):
            try:
                return self._bucket.upload_part(self._path, upload, number, content)
            except Transient:
                if not left or self._stopped.wait(pauses.pause()):
                    raise
        raise AssertionError
