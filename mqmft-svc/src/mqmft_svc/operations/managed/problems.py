"""The reasons for which a file of a managed transfer fails, and the ids by which tools know them (97)."""

# ruff: noqa: N818 -- the names of conditions, as in mft_common.endpoints.errors

from typing import Final

from mft_common.endpoints.errors import Exists, NotFound, NotRegular, TransferError, reason_of
from mft_common.endpoints.names import printable

_MISSING: Final = "BFGIO0001E"
_EXISTS: Final = "BFGIO0006E"
_OUTSIDE: Final = "BFGIO0056E"
_OTHER: Final = "BFGTR0072E"


class OutsideRoot(TransferError):
    """The path leads out of the root of its agent (217)."""


class NotPossible(TransferError):
    """The item asks for something that cannot be done."""


class SourceMissing(NotFound):
    """The source has no file of the name (219)."""


class Away(Exception):
    """An endpoint does not answer, however often it was tried: the run is over, and another one may go on later."""


def description_of(error: TransferError) -> str:
    """Return the description of a file that failed: an id, a colon and a sentence.

    A NotFound of the destination, whose folders are made, is that of no source.
    """
    found = _OTHER
    if isinstance(error, OutsideRoot | NotRegular):
        found = _OUTSIDE
    elif isinstance(error, Exists):
        found = _EXISTS
    elif isinstance(error, SourceMissing):
        found = _MISSING
    return f"{found}: {sentence_of(error)}"


def sentence_of(error: BaseException) -> str:
    """Return the reason of an error as a sentence."""
    return sentence(reason_of(error))


def sentence(text: str) -> str:
    """Return a text as a sentence, in characters that every record can hold."""
    return f"{printable(text).rstrip('.')}."
