"""Name what keeps the hub from starting; the command prints these without a stack trace."""

from mft_common.errors import MftError


class CannotStart(MftError):  # noqa: N818 -- reads as what it is where it is raised
    """The hub cannot be started like this; the text says what to change."""
