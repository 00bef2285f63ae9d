"""What a request of the Diplomat API can be refused with: each class holds the API's own code."""

from mft_common.errors import MftError


class DiplomatError(MftError):
    """A refusal; its text is one sentence that names the parameter at fault and never holds a password."""

    status = 500


class BadRequest(DiplomatError):  # noqa: N818 -- the API's own words, as are the next ones
    """A parameter is missing or invalid, or what is asked for cannot be done (8, 35, 40)."""

    status = 400


class Unauthorized(DiplomatError):  # noqa: N818
    """There is no active session, or none could be made; `retry_after` counts seconds where the brake holds."""

    status = 401

    def __init__(self, message: str, retry_after: int = 0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NotSupported(DiplomatError):  # noqa: N818
    """The API is switched off or not licensed, or this request of it is not built."""

    status = 501


class NotOwner(MftError):  # noqa: N818 -- not a client's error: this worker's job belongs to nobody or another by now
    """The job was taken from this worker, so nothing of it may be written any more (E13)."""
