"""Define every refusal of the HTTP MFT REST API, with the vendor's status, message and errorType."""

from typing import ClassVar

from mft_common.errors import MftError

_ECHO = 255


class RequestRejected(MftError):  # noqa: N818 -- reads as what it is where it is raised
    """A request that is refused with the envelope of a failure; `headers` are added to the response (http-mft.md 2)."""

    status: ClassVar[int] = 400
    error_type: ClassVar[str] = "request_syntax"
    text: ClassVar[str] = ""

    def __init__(self, text: str | None = None, headers: dict[str, str] | None = None) -> None:
        super().__init__(self.text if text is None else text)
        self.headers = headers or {}

    @property
    def reason(self) -> str:
        """The reason for the hub's own records, which may say more than the response."""
        return str(self)


class NotAuthenticated(RequestRejected):
    """E-AUTH."""

    status = 401
    error_type = "authentication"
    text = "Invalid username or password"


class NoContract(RequestRejected):
    """E-CONF."""

    status = 401
    error_type = "configuration"
    text = "Connection contract not configured"


class NoFilename(RequestRejected):
    """E-NOFILE."""

    text = "No filename specified"


class NoFileset(RequestRejected):
    """E-NOSET."""

    text = "No fileset specified"


class BadSyntax(RequestRejected):
    """E-SYN."""

    text = "Missing parameters or syntax error"


class BadDelete(RequestRejected):
    """E-DSYN: the one refusal with a text and an errorType of its own (D8)."""

    error_type = "syntax_error"
    text = "missing param or syntax error"


class NoRight(RequestRejected):
    """E-W, E-R, E-D, E-L, and our own for `create`: `right` is the missing one."""

    status = 403
    error_type = "authorization"

    def __init__(self, right: str) -> None:
        super().__init__(f"No {right} permission")


class ForeignOrigin(RequestRejected):
    """A write that a page of another site sent with our cookies (S34)."""

    status = 403
    error_type = "authorization"
    text = "Foreign origin"


class ContentRefused(RequestRejected):
    """The scanner refused the content; `threat` is its name for the reason, empty where it gave none."""

    status = 403
    error_type = "authorization"
    text = "Content refused"

    def __init__(self, threat: str = "") -> None:
        super().__init__()
        self.threat = threat

    @property
    def reason(self) -> str:
        """Name the threat."""
        return f"{self.text}: {self.threat}" if self.threat else self.text


class DoesNotExist(RequestRejected):
    """Something that does not exist."""

    status = 404
    error_type = "io"


class NoPath(DoesNotExist):
    """E-PATH: `path` as in the URL, decoded, without its leading slash (D3)."""

    def __init__(self, path: str) -> None:
        super().__init__(f"Path '{path[:_ECHO]}' doesn't exist")


class NoFile(DoesNotExist):
    """E-FILE."""

    def __init__(self, name: str) -> None:
        super().__init__(f"File '{name[:_ECHO]}' doesn't exist")


class NoSuch(DoesNotExist):
    """E-ID and E-FILE2: `named` is a fileset's id as in the URL, or a file's name (D9)."""

    def __init__(self, named: str) -> None:
        super().__init__(f"{named[:_ECHO]} doesn't exist")


class NoListedPath(DoesNotExist):
    """E-LPATH."""

    text = "Path doesn't exist"


class NoCredentials(RequestRejected):
    """E-LOGIN: the vendor's page says 404 (D6)."""

    status = 404
    text = "No username or password"


class NotFound(RequestRejected):
    """A path that is no route."""

    status = 404
    text = "Not found"


class AlreadyExists(RequestRejected):
    """The name is taken, and `on_conflict` is `reject` (S15)."""

    status = 409
    error_type = "io"

    def __init__(self, name: str) -> None:
        super().__init__(f"File '{name[:_ECHO]}' already exists")


class PreconditionFailed(RequestRejected):
    """A precondition does not hold (S18)."""

    status = 412
    error_type = "io"
    text = "Precondition failed"


class TooLarge(RequestRejected):
    """The body is over a configured limit."""

    status = 413
    text = "Request too large"


class RangeNotSatisfiable(RequestRejected):
    """A range that begins behind the last byte; `size` is the file's."""

    status = 416
    text = "Range not satisfiable"

    def __init__(self, size: int) -> None:
        super().__init__(headers={"Content-Range": f"bytes */{size}"})


class Throttled(RequestRejected):
    """Too many wrong guesses (S33)."""

    status = 429
    error_type = "authentication"
    text = "Too many attempts"

    def __init__(self, seconds: int) -> None:
        super().__init__(headers={"Retry-After": str(max(1, seconds))})


class TemporarilyUnavailable(RequestRejected):
    """The database or the store of the bytes does not answer at present."""

    status = 503
    error_type = "io"
    text = "Temporarily unavailable"

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "5"})


class StillCompleting(TemporarilyUnavailable):
    """The bytes of an upload are all here and its file is not yet: the last piece may be sent again (X1)."""

    text = "The upload is being completed"


class NoSpace(RequestRejected):
    """The disk or a quota is full."""

    status = 507
    error_type = "io"
    text = "Not enough space"


class Forbidden(RequestRejected):
    """A call of the internal interface by another account than the hub's own."""

    status = 403
    error_type = "authorization"
    text = "Only the hub itself may call this"


class OtherContent(RequestRejected):
    """The file has another fileset than the caller named."""

    status = 409
    error_type = "io"
    text = "The file has another fileset"


class WrongVersion(RequestRejected):
    """A call of a resumable upload without `Tus-Resumable`, or with another version (X1)."""

    status = 412
    text = "Tus-Resumable must be 1.0.0"


class WrongOffset(RequestRejected):
    """A piece whose offset is not the end of the piece before it."""

    status = 409
    error_type = "io"
    text = "Upload-Offset does not match"


class Superseded(WrongOffset):
    """A later request has continued the upload."""


class Incomplete(RequestRejected):
    """An upload that is sealed before all its bytes have arrived."""

    status = 409
    error_type = "io"
    text = "The upload is not complete"


class WrongType(RequestRejected):
    """A piece of another type than application/offset+octet-stream."""

    status = 415
    text = "Unsupported media type"


class WrongChecksum(RequestRejected):
    """A piece whose digest differs from `Upload-Checksum`; nothing of it is kept."""

    status = 460
    error_type = "io"
    text = "Checksum mismatch"
