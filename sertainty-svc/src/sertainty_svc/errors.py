"""The outcomes of a call other than success, each with the protocol's status code (14)."""

# ruff: noqa: N818 -- they are all Outcomes, and the name of each is a condition

from typing import ClassVar


class Outcome(Exception):
    """A call that ends with another status than success; `detail` is for the log and a header, never for the body."""

    code: ClassVar[int] = 502
    message: ClassVar[str] = "The call failed."
    status: ClassVar[int] = 200

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail or self.message)
        self.detail = detail

    @property
    def text(self) -> str:
        """The status message: static for each code."""
        return self.message


class Denied(Outcome):
    """No valid session, no right, or wrong answers; `retry_after` counts the seconds of the login throttle."""

    code = 3
    message = "Denied"

    def __init__(self, detail: str = "", *, retry_after: int = 0) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class NotFound(Outcome):
    """A configuration, task, ID, script, preset or template that does not exist."""

    code = 213
    message = "File not found"


class AlreadyExists(Outcome):
    """A new name that exists already."""

    code = 232
    message = "File already exists"


class InvalidRequest(Outcome):
    """A request, name or document of a wrong form; `detail` says what is wrong with it (15)."""

    code = 408
    message = "Invalid request"


class GeneralError(Outcome):
    """Every other error: the one status whose message is a sentence about it (15)."""

    code = 502

    @property
    def text(self) -> str:
        """The sentence about this error."""
        return self.detail or self.message


class AgentOffline(GeneralError):
    """The agent does not run, and the call needs it."""

    message = "The agent is offline."
