"""Define the errors of an exchange."""

from mft_common.errors import MftError


class NoAnswer(MftError):  # noqa: N818 -- named like the conditions of transfers
    """A server gave no answer. The text holds no URL, no address and nothing that the far side sent."""


class AddressRefused(NoAnswer):
    """The name of a server has an address that the exchange may not reach; nothing was sent."""
