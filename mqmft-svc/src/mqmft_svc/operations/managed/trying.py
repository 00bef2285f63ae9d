"""Repeat calls to the endpoints of a transfer while their errors may heal (225)."""

from collections.abc import Callable
from typing import Final, TypeVar

from mft_common.backoff import pause_after
from mft_common.endpoints.errors import Interrupted, OutcomeUnknown, TransferError, Transient
from mft_common.transfer import Interrupt
from mqmft_svc.operations.managed.problems import Away, sentence_of

FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 60.0
R = TypeVar("R")


class Trying:
    """Calls are tried again `retries` times. With `recover` an endpoint that does not answer then is Away."""

    def __init__(self, stop: Interrupt, retries: int, *, recover: bool) -> None:
        self.retries = retries
        self.recover = recover
        self.stop = stop

    def check_stop(self) -> None:
        """Raise Interrupted once the worker has asked to stop."""
        if self.stop.is_set():
            raise Interrupted("the transfer was stopped")

    def call(self, call: Callable[[], R], *, needed: bool = True) -> R:
        """Return what a call returns; TransferError, or Away where the transfer cannot go on without the call."""
        tries = 1
        while True:
            self.check_stop()
            try:
                return call()
            except TransferError as error:
                error.tries = tries
                if not error.heals:
                    raise
                if tries > self.retries:
                    if needed:
                        self.give_up(error)
                    raise
            if self.stop.wait(pause_after(tries, FIRST_PAUSE_S, _LONGEST_PAUSE_S)):
                raise Interrupted("the transfer was stopped while it waited for another try")
            tries += 1

    def give_up(self, error: TransferError) -> None:
        """Raise Away for the last error of an endpoint that does not answer, where the run may go on later.

        Another run looks for a file of which this one could not find out whether it was delivered.
        """
        silent = isinstance(error, Transient) or (isinstance(error, OutcomeUnknown) and error.silent)
        if self.recover and silent:
            raise Away(sentence_of(error)) from error
