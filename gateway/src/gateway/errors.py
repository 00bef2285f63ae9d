"""Errors of the gateway itself."""

from mft_common.errors import MftError, Unavailable


class NoAccount(Unavailable):
    """The account was disabled or removed between its login and this call; the next login says so."""


class Busy(Unavailable):
    """No slot for checking a password became free in time."""


class RequestRejected(MftError):  # noqa: N818 -- reads as what it is where it is raised
    """The gateway does not serve a request; `status` is HTTP's, and `retry_after` counts seconds.

    The text is for callers of the internal API; the public gets the form of its protocol.
    """

    def __init__(self, status: int, text: str = "", *, retry_after: int = 0) -> None:
        super().__init__(text)
        self.status = status
        self.retry_after = retry_after
