"""Name what can be wrong with an event."""

from mft_common.errors import MftError


class EventError(MftError):
    """An event cannot be published or read; the text says which part of it is wrong."""
