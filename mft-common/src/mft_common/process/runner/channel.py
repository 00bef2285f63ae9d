"""The child's side: report to the worker, ask it, and hear its request to stop."""

# ruff: noqa: N818 -- the names of conditions

import itertools
import os
import queue
import signal
import threading

from mft_common.errors import MftError
from mft_common.process.runner.messages import BEGAN, CHECKPOINT, MAY_COMMIT, PROGRESS, Json, Stream


class CommitRefused(MftError):
    """The worker no longer owns this piece of work, so nothing may become visible."""


class Channel:
    """The connection of a child to its worker. `interrupt` is set once the worker asks the child to stop.

    A child whose worker is gone kills itself: the second means beside the guardian, which ends what it had started.
    """

    def __init__(self, stream: Stream) -> None:
        self.interrupt = threading.Event()
        self._stream = stream
        self._numbers = itertools.count(1)
        self._waiting: dict[int, queue.SimpleQueue[Json]] = {}

    def listen(self) -> None:
        """Begin to hear the worker, in a thread of its own."""
        threading.Thread(target=self._listen, name="channel", daemon=True).start()

    def _listen(self) -> None:
        while (message := self._stream.receive()) is not None:
            if message.get("stop"):
                self.interrupt.set()
            else:
                self._waiting.pop(message["to"]).put(message["answer"])
        os.kill(os.getpid(), signal.SIGKILL)

    def tell(self, kind: str, data: Json = None) -> None:
        """Send a message and go on; it waits only while the worker is far behind."""
        self._stream.send({"kind": kind, "data": data})

    def ask(self, kind: str, data: Json = None) -> Json:
        """Send a message, and return the worker's answer once it has handled the message."""
        number, answer = next(self._numbers), queue.SimpleQueue[Json]()
        self._waiting[number] = answer
        self._stream.send({"kind": kind, "data": data, "ask": number})
        return answer.get()

    def began(self, data: Json = None) -> None:
        """Say that the work has begun."""
        self.tell(BEGAN, data)

    def progress(self, data: Json) -> None:
        """Say how far the work is."""
        self.tell(PROGRESS, data)

    def checkpoint(self, data: Json) -> None:
        """Return once the worker has stored what is needed to go on from here."""
        self.ask(CHECKPOINT, data)

    def may_commit(self, data: Json = None) -> None:
        """Return when the worker's lease holds, CommitRefused when it does not; asked right before each commit."""
        if self.ask(MAY_COMMIT, data) is not True:
            raise CommitRefused("the work belongs to another worker by now, or is over")
