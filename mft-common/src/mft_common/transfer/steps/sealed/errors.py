"""Define why a protected file is refused; no further try helps."""

# ruff: noqa: N818 -- the names of conditions, as in endpoints.errors

from mft_common.endpoints.errors import TransferError


class NotSealed(TransferError):
    """The file is no protected file of a version and suite that is known, or a number of its header is out of range."""


class NotAuthentic(TransferError):
    """The file was changed, cut, continued or composed of parts, or its key is another one."""


class RecipientRefused(TransferError):
    """The recipient's public key is no key of its suite."""
