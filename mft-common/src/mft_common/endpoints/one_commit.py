"""Carry out a commit that is one request: an answer that got lost is looked for, and the request not repeated."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from mft_common.endpoints.contract import Stored
from mft_common.endpoints.errors import Mismatch, NotSent, OutcomeUnknown, TransferError, Transient

# The pauses in seconds before the comparison of a delivered file is tried once more.
_PAUSES: Final = (0.2, 0.4)


class OneCommit:
    """A commit whose request may have been carried out without an answer.

    `send()` sends the request and raises what the answer refuses. `is_ours()` returns whether the far side has the file
    by now, and raises where it does not let us look. `check()` compares the visible file and returns what is stored;
    Mismatch. `shown` names the file. An `exclusive` request is refused where the file is there, also by its own first
    try; one that replaces may be sent again.
    """

    def __init__(
        self, shown: str, *, exclusive: bool, send: Callable[[], None], is_ours: Callable[[], bool],
        check: Callable[[], Stored],
    ) -> None:  # fmt: skip
        self._shown = shown
        self._exclusive = exclusive
        self._send = send
        self._is_ours = is_ours
        self._check = check
        self._sealed = Stored(0, "")
        # Whether a request may have been carried out, whether that is certain, and with which result.
        self._asked = False
        self._visible = False
        self._stored: Stored | None = None

    @property
    def visible(self) -> bool:
        """Whether the file is known to be visible."""
        return self._visible

    def run(self, sealed: Stored) -> Stored:
        """Make the file visible once; the result of a later call is that of the first. Transient: call again.

        OutcomeUnknown where a request that got no answer cannot be looked for, and another one is refused.
        """
        self._sealed = sealed
        if self._stored is None:
            if not self._visible and not (self._asked and self._look()):
                self._request()
            self._visible = True
            self._stored = self._checked()
        return self._stored

    def found(self) -> Stored | None:
        """Return the stored file where a request was carried out, None where none was.

        OutcomeUnknown where that cannot be found out, and the request may not be repeated.
        """
        if self._stored is None and (self._visible or (self._asked and self._look_at_last())):
            self._visible = True
            try:
                self._stored = self._checked()
            except Mismatch:
                # The file is the far side's by now, and its name not ours to clear.
                return None
        return self._stored

    def _look(self) -> bool | None:
        """Return whether the far side has the file, None where it does not let us look; Transient."""
        try:
            return self._is_ours()
        except Transient:
            raise
        except TransferError:
            return None

    def _look_at_last(self) -> bool:
        """Return whether the far side has the file; no other look follows."""
        try:
            found = self._look()
        except Transient:
            if not self._exclusive:
                raise
            raise unanswered(self._shown) from None
        if found is None and self._exclusive:
            raise self._unknown()
        return bool(found)

    def _unknown(self) -> OutcomeUnknown:
        return _unknown(self._shown, "the far side does not let us look")

    def _request(self) -> None:
        before, self._asked = self._asked, True
        try:
            self._send()
        except NotSent:
            self._asked = before
            raise
        except Transient:
            raise
        except TransferError as error:
            # The former request may have been carried out between the look and this one, which is refused for that.
            found = self._look() if before else False
            if found:
                return
            if found is None and self._exclusive:
                raise self._unknown() from error
            # Refused for certain: nothing became visible, and there is nothing to find later.
            self._asked = False
            raise

    def _checked(self) -> Stored:
        """Compare the visible file; where the far side does not answer, that is the result's warning."""
        for pause in (*_PAUSES, None):
            try:
                return self._check()
            except Mismatch:
                raise
            except TransferError as error:
                if pause is None or not error.heals:
                    return replace(self._sealed, warning=f"the stored file could not be compared ({error})")
                time.sleep(pause)
        raise AssertionError


def unanswered(shown: str) -> OutcomeUnknown:
    """Return the error of a commit that got no answer, as did the look for its file."""
    error = _unknown(shown, "neither did the look for the file")
    error.silent = True
    return error


def taken(shown: str) -> OutcomeUnknown:
    """Return the error of a name that is taken: by the file of a commit without an answer, or by another one."""
    return _unknown(shown, "a file of that name is there by now")


def _unknown(shown: str, reason: str) -> OutcomeUnknown:
    return OutcomeUnknown(f"{shown}: it is not known whether it was delivered: the commit got no answer, and {reason}")
