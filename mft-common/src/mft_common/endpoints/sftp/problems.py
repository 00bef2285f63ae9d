"""Turn the errors of SSH and SFTP into those of transfers."""

from typing import Final

import asyncssh

from mft_common.endpoints.errors import (
    AuthenticationFailed,
    BadName,
    Denied,
    DiskFull,
    Exists,
    NotFound,
    TargetIsFolder,
    TransferError,
    Transient,
    Unsupported,
    UntrustedServer,
    reason_of,
)

# What ends a connection, whichever layer notices it.
LOST: Final = (
    asyncssh.SFTPConnectionLost,
    asyncssh.SFTPNoConnection,
    asyncssh.DisconnectError,
    asyncssh.ChannelOpenError,
    OSError,
    EOFError,
)

_CLASSES: Final[tuple[tuple[type[Exception], type[TransferError], str], ...]] = (
    (asyncssh.SFTPNoSuchFile, NotFound, "does not exist"),
    (asyncssh.SFTPNoSuchPath, NotFound, "does not exist"),
    (asyncssh.SFTPNotADirectory, NotFound, "does not exist"),
    (asyncssh.SFTPPermissionDenied, Denied, "access is refused"),
    (asyncssh.SFTPWriteProtect, Denied, "access is refused"),
    (asyncssh.SFTPCannotDelete, Denied, "access is refused"),
    (asyncssh.SFTPLinkLoop, Denied, "access is refused"),
    (asyncssh.SFTPFileAlreadyExists, Exists, "exists already"),
    (asyncssh.SFTPFileIsADirectory, TargetIsFolder, "is a folder"),
    (asyncssh.SFTPNoSpaceOnFilesystem, DiskFull, "there is no room for it"),
    (asyncssh.SFTPQuotaExceeded, DiskFull, "there is no room for it"),
    (asyncssh.SFTPInvalidFilename, BadName, "cannot be a file's name there"),
    (asyncssh.SFTPOpUnsupported, Unsupported, "the server cannot do that"),
    (asyncssh.PermissionDenied, AuthenticationFailed, "the server refuses the user, the password or the key"),
    (asyncssh.HostKeyNotVerifiable, UntrustedServer, "the server's host key is not the one that is pinned"),
)
# Words in the text of a general failure that name a full disk or quota.
_NO_ROOM: Final = ("no space", "disk full", "disk is full", "quota", "not enough space")


def of_error(error: BaseException, name: str) -> TransferError:
    """Return the error class of a failure met while working on `name` (a path below the endpoint, or the endpoint)."""
    if isinstance(error, TransferError):
        return error
    for known, cls, reason in _CLASSES:
        if isinstance(error, known):
            return cls(f"{name}: {reason}")
    if isinstance(error, asyncssh.SFTPError):
        text = reason_of(error)
        if any(words in text.lower() for words in _NO_ROOM):
            return DiskFull(f"{name}: there is no room for it")
        return Transient(f"{name}: the server answered {text!r} (status {error.code})")
    if isinstance(error, TimeoutError):
        return Transient(f"{name}: the server did not answer in time")
    return Transient(f"{name}: the connection failed ({reason_of(error)})")


def is_refusal(error: TransferError) -> bool:
    """Return whether the server answered with a failure, as opposed to a connection that broke or fell silent."""
    return isinstance(error.__cause__, asyncssh.SFTPError) and not isinstance(error.__cause__, LOST)


def has_no_reason(error: TransferError) -> bool:
    """Return whether the server answered with a general failure, which stat may explain."""
    return isinstance(error.__cause__, asyncssh.SFTPFailure) and isinstance(error, Transient)


def refuses_name(error: TransferError) -> bool:
    """Return whether the server has no room for a name or a path, as OpenSSH answers for its file system."""
    return isinstance(error.__cause__, asyncssh.SFTPBadMessage)
