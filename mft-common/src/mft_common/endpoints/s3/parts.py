"""Send the parts of one multipart upload, several at a time, in memory that does not grow with the file."""

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
_TRIES: Final = 3
# How long an abort waits for the parts that are on their way: a store that never answers must not hold up a stop.
_STOP_S: Final = 1.0


def part_size(size: int | None) -> int:
    """Return the size of the parts of a file of `size` bytes, a multiple of 1 MiB."""
    if size is None:
        return _PART_OF_UNKNOWN
    return max(_PART, -(-size // (MOST_PARTS << 20)) << 20)


class Room:
    """The memory for the parts that the writers of one endpoint have on their way: `most` bytes, or one part."""

    def __init__(self, most: int = _AT_ONCE_BYTES) -> None:
        self._most = most
        self._taken = 0
        self._changed = threading.Condition()

    def take(self, size: int) -> None:
        """Wait until there is room for a part of `size` bytes, and take it."""
        with self._changed:
            self._changed.wait_for(lambda: not self._taken or self._taken + size <= self._most)
            self._taken += size

    def give(self, size: int) -> None:
        """Give the room of a part back."""
        with self._changed:
            self._taken -= size
            self._changed.notify_all()


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

    def send(self, upload: str, content: bytearray) -> None:
        """Send the next part as soon as there is room for it; raises what went wrong with an earlier one."""
        number = len(self._stored) + len(self._sending) + 1
        if number > MOST_PARTS:
            raise Unsupported(f"{printable(self._path)}: an object has at most {MOST_PARTS} parts")
        if len(self._sending) >= self._at_once:
            self._take()
        self._room.take(len(content))
        part: Future[Part] = Future()
        self._sending.append(part)
        # A thread of its own, for which the end of the process does not wait as it does for those of an executor.
        threading.Thread(target=self._run, args=(part, upload, number, content), name="part", daemon=True).start()

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

    def _run(self, part: Future[Part], upload: str, number: int, content: bytearray) -> None:
        try:
            stored = self._upload(upload, number, content)
        except BaseException as error:  # noqa: BLE001 -- the one who waits for the part gets it
            self._room.give(len(content))
            part.set_exception(error)
        else:
            self._room.give(len(content))
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
