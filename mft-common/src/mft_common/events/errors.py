"""Errors of events."""

from mft_common.errors import MftError


class EventError(MftError):
    """An event cannot be published or read; the text names the wrong part."""
