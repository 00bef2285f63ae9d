"""Name every refusal of the HTTP MFT REST API, with the status, message and errorType that the vendor gives it."""

from typing import ClassVar

from mft_common.errors import MftError

_ECHO = 255


class Refused(MftError):  # noqa: N818 -- reads as what it is where it is raised
    """A call that is answered with the failure envelope; `headers` go with the answer (http-mft.md 2)."""

    status: ClassVar[int] = 400
    error_type: ClassVar[str] = "request_syntax"
    text: ClassVar[str] = ""

    def __init__(self, text: str | None = None, headers: dict[str, str] | None = None) -> None:
        super().__init__(self.text if text is None else text)
        self.headers = headers or {}

    @property
    def reason(self) -> str:
        """What the hub's own records say, which may be more than a client is told."""
        return str(self)


class NotAuthenticated(Refused):
    """E-AUTH."""

    status = 401
    error_type = "authentication"
    text = "Invalid username or password"


class NoContract(Refused):
    """E-CONF."""

    status = 401
    error_type = "configuration"
    text = "Connection contract not configured"


class NoFilename(Refused):
    """E-NOFILE."""

    text = "No filename specified"


class NoFileset(Refused):
    """E-NOSET."""

    text = "No fileset specified"


class BadSyntax(Refused):
    """E-SYN."""

    text = "Missing parameters or syntax error"


class BadDelete(Refused):
    """E-DSYN: the one refusal with a text and an errorType of its own (D8)."""

    error_type = "syntax_error"
    text = "missing param or syntax error"


class NoRight(Refused):
    """E-W, E-R, E-D, E-L, and `create` of our own: `right` is the one that is missing."""

    status = 403
    error_type = "authorization"

    def __init__(self, right: str) -> None:
        super().__init__(f"No {right} permission")


class ForeignOrigin(Refused):
    """A write that another site's page sent with our cookies (S34)."""

    status = 403
    error_type = "authorization"
    text = "Foreign origin"


class ContentRefused(Refused):
    """The scanner does not let the content pass; `threat` is what it calls the reason, empty where it tells none."""

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


class Gone(Refused):
    """Something that does not exist."""

    status = 404
    error_type = "io"


class NoPath(Gone):
    """E-PATH: `path` as it came, decoded, without its leading slash (D3)."""

    def __init__(self, path: str) -> None:
        super().__init__(f"Path '{path[:_ECHO]}' doesn't exist")


class NoFile(Gone):
    """E-FILE."""

    def __init__(self, name: str) -> None:
        super().__init__(f"File '{name[:_ECHO]}' doesn't exist")


class NoSuch(Gone):
    """E-ID and E-FILE2: `named` is a fileset's id as it came, or a file's name (D9)."""

    def __init__(self, named: str) -> None:
        super().__init__(f"{named[:_ECHO]} doesn't exist")


class NoListedPath(Gone):
    """E-LPATH."""

    text = "Path doesn't exist"


class NoCredentials(Refused):
    """E-LOGIN: 404 because the vendor's page has that row (D6)."""

    status = 404
    text = "No username or password"


class NotFound(Refused):
    """No such route below `/2.0`, or none yet."""

    status = 404
    text = "Not found"


class AlreadyExists(Refused):
    """The name is taken, and `on_conflict` is `reject` (S15)."""

    status = 409
    error_type = "io"

    def __init__(self, name: str) -> None:
        super().__init__(f"File '{name[:_ECHO]}' already exists")


class PreconditionFailed(Refused):
    """If-Match or If-None-Match does not hold (S18)."""

    status = 412
    error_type = "io"
    text = "Precondition failed"


class TooLarge(Refused):
    """The body is over a configured limit."""

    status = 413
    text = "Request too large"


class RangeNotSatisfiable(Refused):
    """A range that begins behind the last byte; `size` is the file's."""

    status = 416
    text = "Range not satisfiable"

    def __init__(self, size: int) -> None:
        super().__init__(headers={"Content-Range": f"bytes */{size}"})


class Throttled(Refused):
    """Too many wrong guesses (S33)."""

    status = 429
    error_type = "authentication"
    text = "Too many attempts"

    def __init__(self, seconds: int) -> None:
        super().__init__(headers={"Retry-After": str(max(1, seconds))})


class TemporarilyAway(Refused):
    """The database or the bytes do not answer now."""

    status = 503
    error_type = "io"
    text = "Temporarily unavailable"

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "5"})


class NoSpace(Refused):
    """The disk or a quota is full."""

    status = 507
    error_type = "io"
    text = "Not enough space"


class Forbidden(Refused):
    """The internal interface answers the hub's own callers alone."""

    status = 403
    error_type = "authorization"
    text = "Only the hub itself may call this"


class OtherContent(Refused):
    """The name holds another content than the caller named."""

    status = 409
    error_type = "io"
    text = "The file has another fileset"


class WrongVersion(Refused):
    """A call of an upload in pieces that does not say which version of tus it speaks, or another one (X1)."""

    status = 412
    text = "Tus-Resumable must be 1.0.0"


class WrongOffset(Refused):
    """A piece that begins elsewhere than where the last one ended."""

    status = 409
    error_type = "io"
    text = "Upload-Offset does not match"


class Superseded(WrongOffset):
    """Another request has gone on with the upload meanwhile."""


class WrongType(Refused):
    """A piece that is no application/offset+octet-stream."""

    status = 415
    text = "Unsupported media type"


class WrongChecksum(Refused):
    """A piece whose digest is not the one that was promised; nothing of it is kept."""

    status = 460
    error_type = "io"
    text = "Checksum mismatch"
