"""Decide whose fault an error is: a file's, the task's, or of nobody because the file is handled later (86)."""

# ruff: noqa: N818 -- the names of conditions, as in mft_common.endpoints.errors

from mft_common.endpoints.errors import (
    AuthenticationFailed,
    Denied,
    DiskFull,
    NotFound,
    NotRegular,
    OutcomeUnknown,
    TransferError,
    Unsupported,
    UntrustedServer,
    reason_of,
)
from mft_common.endpoints.names import printable
from mft_common.errors import MftError
from mft_common.transfer.steps.sealed import NotAuthentic, NotSealed


class TaskFault(MftError):
    """The task's own fault: the execution ends in error, and no file is touched or blamed."""


class Later(TransferError):
    """The file is left for a later execution: it changed, has gone, or waits for a window (84, 101)."""


class FileFault(TransferError):
    """The file's own fault that no endpoint found: it is not retried."""


def is_of_task(error: TransferError, *, at_source: bool) -> bool:
    """Return whether an error of a file's delivery is the task's fault; `at_source` where the source raised it.

    A destination that is gone, refuses access or is full is no fault of the file, and neither is a commit of which
    nobody can tell whether it was carried out.
    """
    if isinstance(error, AuthenticationFailed | UntrustedServer | Unsupported):
        return True
    if at_source or isinstance(error, NotRegular):
        return False
    return isinstance(error, DiskFull | Denied | NotFound | OutcomeUnknown)


def reason_of_file(error: TransferError, path: str) -> str:
    """Return why the file of a path failed, as a sentence that names it."""
    if isinstance(error, NotSealed | NotAuthentic):
        return sentence(f"{path}: {reason_of(error)}")
    return sentence_of(error)


def sentence_of(error: BaseException) -> str:
    """Return the reason of an error as a sentence, in characters that every log and document can hold."""
    return sentence(reason_of(error))


def sentence(text: str) -> str:
    """Return a text as a sentence, in characters that every log and document can hold."""
    return f"{printable(text).rstrip('.')}."
