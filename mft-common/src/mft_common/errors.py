"""Errors below any protocol; services render them in their vendor's form."""

from typing import ClassVar


class MftError(Exception):
    """An error that the hub itself raises; its text is safe to show to a client."""


class Unavailable(MftError):  # noqa: N818 -- reads as what it is where it is raised
    """A dependency of this process does not answer; a client may try again after `retry_after` seconds."""

    retry_after: ClassVar[int] = 5


class IdentityError(MftError):
    """A request to a service came without an identity that the gateway signed."""


class ConfigError(MftError):
    """The configuration cannot be used; `problems` holds one line for each fault, each naming its path."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
