"""Define the errors of OpenPGP; none of them heals, and no text holds a passphrase or a path."""

# ruff: noqa: N818 -- the names of conditions, as in endpoints.errors

from mft_common.endpoints.errors import TransferError


class OpenPgpError(TransferError):
    """A message could not be made or is not acceptable; nothing of it is released."""


class ProgramMissing(OpenPgpError):
    """There is no `gpg` on this machine."""


class KeyRefused(OpenPgpError):
    """A key is unknown, expired, revoked or cannot be used for what is asked of it."""


class WrongPassphrase(OpenPgpError):
    """The passphrase does not open the secret key."""


class MessageRefused(OpenPgpError):
    """A message is damaged, cut, unprotected, for other keys, or not signed by an allowed key."""
