"""The errors of the Diplomat API, each with the API's status code."""

from mft_common.errors import MftError


class DiplomatError(MftError):
    """An error of a request; its text is one sentence that names the parameter at fault and holds no password."""

    status = 500


class BadRequest(DiplomatError):  # noqa: N818 -- the API's own words, as are the next ones
    """A parameter is missing or invalid, or the request cannot be carried out (8, 35, 40)."""

    status = 400


class Unauthorized(DiplomatError):  # noqa: N818
    """There is no active session, or none could be made; `retry_after` counts the seconds of the login throttle."""

    status = 401

    def __init__(self, message: str, retry_after: int = 0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NotThere(DiplomatError):  # noqa: N818
    """No job has this name and sequence, or no record of its log matches (53)."""

    status = 404


class NoHistories(DiplomatError):  # noqa: N818
    """This service keeps no job histories (49)."""

    status = 409


class NotSupported(DiplomatError):  # noqa: N818
    """The API is switched off or not licensed (15)."""

    status = 501


class AuditFailed(MftError):  # noqa: N818 -- named like the conditions of transfers
    """An audit record was not written; the text names no host, no path and no value (E31)."""
