"""Errors of the `crossdock` command, which prints them without a stack trace."""

from mft_common.errors import MftError


class CannotStart(MftError):  # noqa: N818 -- `raise CannotStart(...)` reads as a sentence
    """The hub cannot start, or the command cannot run; the text says what to change."""


class Refused(MftError):  # noqa: N818 -- an answer, not a fault
    """There is no such transaction, job or transfer, or it cannot be run or stopped now."""
