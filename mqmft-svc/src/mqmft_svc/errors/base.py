"""The base of this protocol's errors; ids are IBM's, or ours from 0960 on, sentences are ours (1.H).

`{name}` in a sentence is filled from the keywords of the error.
"""

# ruff: noqa: N818 -- the name of each error is a condition

from collections.abc import Mapping
from typing import ClassVar


class RestError(Exception):
    """An error answer; each subclass is one id with its status and its sentences."""

    msg_id: ClassVar[str] = "MQWB0979E"
    status: ClassVar[int] = 500
    message: ClassVar[str] = "The hub could not answer; the fault is its own."
    explanation: ClassVar[str] = "Something unexpected went wrong while request {request_id} was handled."
    action: ClassVar[str] = "Try again, and give the request id to the operator of the hub if it stays so."

    def __init__(self, *, headers: Mapping[str, str] | None = None, **words: object) -> None:
        self.headers = dict(headers or {})
        self.words = words
        super().__init__(self.text(self.message))

    def text(self, sentence: str) -> str:
        """Fill a sentence with this error's words."""
        return sentence.format(**self.words) if self.words else sentence


class Internal(RestError):
    """A fault of ours, named by its request id (125)."""
