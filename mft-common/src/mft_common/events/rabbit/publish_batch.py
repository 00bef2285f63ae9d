"""Track a batch of published messages until the broker has confirmed or refused each of them."""

import threading
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Message:
    """One message to publish; `key` identifies it within its batch and is sent as its message id."""

    key: str
    exchange: str
    routing_key: str
    body: bytes
    properties: Any
    mandatory: bool


@dataclass(frozen=True)
class Outcome:
    """The keys of the messages that the broker confirmed, and of those that it returned or refused.

    `complete` where these are all. `unreadable` ones were not sent.
    """

    confirmed: frozenset[str]
    refused: frozenset[str]
    complete: bool
    unreadable: frozenset[str] = frozenset()


class PublishBatch:
    """The state of one batch: the connection's thread fills it, and the caller's thread waits for it."""

    def __init__(self, messages: list[Message]) -> None:
        self.messages = messages
        self._open: dict[int, str] = {}
        self._confirmed: set[str] = set()
        self._refused: set[str] = set()
        self._done = threading.Event()

    def sent(self, tag: int, key: str) -> None:
        """Note that the message `key` was sent with the delivery tag `tag`."""
        self._open[tag] = key

    def returned(self, key: str) -> None:
        """Note that the broker found no queue for `key`; it confirms the message nevertheless, afterwards."""
        self._refused.add(key)

    def answered(self, tag: int, *, multiple: bool, ok: bool) -> None:
        """Note the broker's answer to `tag`, with `multiple` to all tags up to it."""
        tags = [t for t in self._open if t <= tag] if multiple else [tag]
        for number in tags:
            key = self._open.pop(number, None)
            if key is not None and key not in self._refused:
                (self._confirmed if ok else self._refused).add(key)
        if len(self._confirmed) + len(self._refused) == len(self.messages) and not self._open:
            self._done.set()

    def give_up(self) -> None:
        """Wake the caller, because the connection is closed."""
        self._done.set()

    def wait(self, timeout: float) -> Outcome:
        """Return the outcome once every message is answered, the connection is closed, or after `timeout` seconds."""
        self._done.wait(timeout)
        confirmed, refused = frozenset(self._confirmed), frozenset(self._refused)
        return Outcome(confirmed, refused, len(confirmed) + len(refused) == len(self.messages))
