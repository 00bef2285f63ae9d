"""Repeat a call about a source after errors that may heal (86)."""

from collections.abc import Callable
from typing import Final, TypeVar

from mft_common.backoff import pause_after
from mft_common.endpoints.errors import Changed, Interrupted, TransferError
from mft_common.transfer import Interrupt

FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 60.0
R = TypeVar("R")


def tried_again(call: Callable[[], R], retries: int, stop: Interrupt) -> R:
    """Return what a call returns, in so many further tries at most; its last error, or Interrupted amid a pause."""
    tries = 1
    while True:
        try:
            return call()
        except TransferError as error:
            if not error.heals or isinstance(error, Changed) or tries > retries:
                raise
            if stop.wait(pause_after(tries, FIRST_PAUSE_S, _LONGEST_PAUSE_S)):
                raise Interrupted(f"{error}; stopped before another try") from error
        tries += 1
