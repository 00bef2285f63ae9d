"""Frame the messages between a worker and a child: four bytes of length and a JSON object, over a stream socket.

Text is sent as ASCII with escapes, so that names of any bytes (`surrogateescape`) arrive as they were.
"""

# ruff: noqa: N818 -- the names of conditions

import json
import socket
import struct
import threading
from collections.abc import Callable
from typing import Any, Final

from mft_common.errors import MftError

# Plain data: None, bool, numbers, text, lists and mappings of them with text as keys.
Json = Any
# Called with the kind of a message and its data; what it returns is the answer where the child asked.
OnMessage = Callable[[str, Json], Json]

BEGAN: Final = "began"
PROGRESS: Final = "progress"
CHECKPOINT: Final = "checkpoint"
ENDED: Final = "ended"
MAY_COMMIT: Final = "may_commit"

# A script of 4 MiB fits in, in Base64.
LARGEST: Final = 8 << 20
_HEAD: Final = struct.Struct(">I")
_READ: Final = 1 << 16


class MessageTooLarge(MftError):
    """A payload or message has more than `LARGEST` bytes as JSON."""


class Stream:
    """One end of the socket; several threads may send, one receives."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._sending = threading.Lock()
        self._buffer = bytearray()

    def fileno(self) -> int:
        """Return the descriptor, for a selector."""
        return self._socket.fileno()

    def send(self, message: dict[str, Json]) -> None:
        """Send a message whole; TypeError or ValueError for what is no JSON, OSError where the other end is gone."""
        body = json.dumps(message, separators=(",", ":"), allow_nan=False).encode("ascii")
        if len(body) > LARGEST:
            raise MessageTooLarge(f"a message of {len(body)} bytes is larger than {LARGEST}")
        with self._sending:
            self._socket.sendall(_HEAD.pack(len(body)) + body)

    def receive(self) -> dict[str, Json] | None:
        """Wait for the next message; None once the other end is closed."""
        while (message := self.buffered()) is None:
            if not self.fill():
                return None
        return message

    def buffered(self) -> dict[str, Json] | None:
        """Return the next message if it has been read as a whole; ValueError where the length is beyond the limit."""
        if len(self._buffer) < _HEAD.size:
            return None
        (length,) = _HEAD.unpack_from(self._buffer)
        if length > LARGEST:
            raise ValueError(f"a message of {length} bytes is larger than {LARGEST}")
        end = _HEAD.size + length
        if len(self._buffer) < end:
            return None
        message: dict[str, Json] = json.loads(bytes(self._buffer[_HEAD.size : end]))
        del self._buffer[:end]
        return message

    def fill(self, *, wait: bool = True) -> bool:
        """Read what has arrived; False at the end of the stream, or without `wait` where nothing is there."""
        try:
            block = self._socket.recv(_READ, 0 if wait else socket.MSG_DONTWAIT)
        except (BlockingIOError, ConnectionError):
            return False
        self._buffer += block
        return bool(block)

    def close(self) -> None:
        """Close this end."""
        self._socket.close()
