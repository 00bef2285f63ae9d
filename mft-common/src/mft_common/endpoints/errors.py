"""Define the errors of transfers, and whether another try may help; no text names a path of this machine."""

# ruff: noqa: N818 -- the names of conditions, all subclasses of TransferError

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from mft_common.errors import MftError


class TransferError(MftError):
    """A file could not be moved. `heals` is True where another try may succeed.

    `leftover` is True when the partial upload could not be removed either, or a deletion was cut off; a later sweep by
    its token removes the one and ends the other.
    `tries` is the number of tries before this error was final.
    """

    heals = False
    leftover = False
    tries = 1


class Transient(TransferError):
    """A connection, a server or the machine failed in a way that may heal; the call may have been carried out."""

    heals = True


class NotSent(Transient):
    """A request did not leave to its end, so that it was not carried out."""


class Changed(TransferError):
    """The source is no longer the version that was listed or opened; it may be read again from its start."""

    heals = True


class Mismatch(TransferError):
    """The bytes at the destination have another size or checksum than those that were read."""

    heals = True


class NotFound(TransferError):
    """The file or its folder does not exist."""


class Denied(TransferError):
    """Access is refused, or the name is a link or a special file."""


class NotRegular(Denied):
    """The name, or that of a folder above it, belongs to a link or a special file."""


class Exists(TransferError):
    """A file of that name exists and may not be replaced."""


class OutcomeUnknown(TransferError):
    """The file may be visible, whole, or not at all: a commit got no answer, and the far side does not let us look.

    No other try follows: it would deliver the file twice, or be refused because of the first. `silent` is True where
    the far side did not answer the look either: a later one may tell.
    """

    silent = False


class TargetIsFolder(TransferError):
    """The target's name belongs to a folder."""


class DiskFull(TransferError):
    """The disk or a quota is full."""


class BadName(TransferError):
    """The name cannot be a file's name at this endpoint."""


class AuthenticationFailed(TransferError):
    """The far side refuses the user, the password or the key."""


class UntrustedServer(TransferError):
    """The far side's host key or certificate is not the one that the configuration names."""


class Unsupported(TransferError):
    """The endpoint cannot do what was asked, as its features say."""


class Interrupted(TransferError):
    """The caller asked to stop; nothing under the final name was changed."""


_CLASSES: dict[int, type[TransferError]] = {
    errno.ENOENT: NotFound,
    errno.ENOTDIR: NotFound,
    errno.EACCES: Denied,
    errno.EPERM: Denied,
    errno.EROFS: Denied,
    errno.ELOOP: NotRegular,
    errno.ENXIO: NotRegular,
    errno.EEXIST: Exists,
    errno.EISDIR: TargetIsFolder,
    errno.ENOTEMPTY: TargetIsFolder,
    errno.ENOSPC: DiskFull,
    errno.EDQUOT: DiskFull,
    errno.EFBIG: DiskFull,
    errno.ENAMETOOLONG: BadName,
    errno.EINVAL: BadName,
    errno.EILSEQ: BadName,
}

_REASONS: dict[type[TransferError], str] = {
    NotFound: "does not exist",
    Denied: "access is refused",
    NotRegular: "is a link or a special file",
    Exists: "exists already",
    TargetIsFolder: "is a folder",
    DiskFull: "there is no room for it",
    BadName: "cannot be a file's name there",
}


def reason_of(error: BaseException) -> str:
    """Return the text of an error, or its type and number where it has no text, so that no message ends in nothing."""
    text = str(error).strip()
    if text:
        return text
    number = getattr(error, "errno", None) or getattr(error, "code", None)
    return type(error).__name__ if number is None else f"{type(error).__name__} {number}"


def of_os_error(error: OSError, name: str) -> TransferError:
    """Return the error class of an operating-system error met while working on the file `name`."""
    cls = _CLASSES.get(error.errno or 0, Transient)
    reason = _REASONS.get(cls)
    if reason is None:
        reason = f"the system answered {errno.errorcode.get(error.errno or 0, 'an unknown error')}"
    return cls(f"{name}: {reason}")


@contextmanager
def os_errors(name: str) -> Iterator[None]:
    """Turn every OSError of the block into the TransferError of its number."""
    try:
        yield
    except OSError as error:
        raise of_os_error(error, name) from error


@contextmanager
def destination_errors(name: str) -> Iterator[None]:
    """Do as `os_errors` for a file that is written: what is missing then is not the source, and the text says so."""
    try:
        yield
    except FileNotFoundError as error:
        raise NotFound(f"{name}: the destination's folder or unfinished file was removed") from error
    except OSError as error:
        raise of_os_error(error, name) from error
