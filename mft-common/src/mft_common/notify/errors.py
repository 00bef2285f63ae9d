"""Define the error of a delivery."""

from mft_common.errors import MftError


class NotDelivered(MftError):  # noqa: N818 -- named like the conditions of transfers
    """A notification was not delivered. The text holds no URL, no address and nothing that the far side sent."""
