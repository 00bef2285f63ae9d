"""Name what the gateway's directory cannot do."""

from mft_common.errors import MftError, Unavailable


class NoAccount(Unavailable):
    """The account was switched off or removed between its login and this call; the next login says so."""


class Busy(Unavailable):
    """So many passwords are being checked that this one's turn did not come in time."""


class RequestRejected(MftError):  # noqa: N818 -- reads as what it is where it is raised
    """A call of the internal API that is not answered; `status` is its HTTP status."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
