"""Carry out a commit that is one request: an answer that got lost is looked for, and the request not repeated."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from mft_common.endpoints.contract import Stored
from mft_common.endpoints.errors import Mismatch, TransferError, Transient

# The pauses in seconds before the comparison of a delivered file is tried once more.
_PAUSES: Final = (0.2, 0.4)


class OneCommit:
    """A commit whose request may have been carried out without an answer.

    `send()` sends the request and raises what the answer refuses. `is_ours()` returns whether the far side has the file
    by now. `check()` compares the visible file and returns what is stored; Mismatch.
    """

    def __init__(self, *, send: Callable[[], None], is_ours: Callable[[], bool], check: Callable[[], Stored]) -> None:
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
        """Make the file visible once; the result of a later call is that of the first. Transient: call again."""
        self._sealed = sealed
        if self._stored is None:
            if not self._visible and not (self._asked and self._is_ours()):
                self._request()
            self._visible = True
            self._stored = self._checked()
        return self._stored

    def found(self) -> Stored | None:
        """Return the stored file where a request was carried out, None where none was."""
        if self._stored is None and (self._visible or (self._asked and self._is_ours())):
            self._visible = True
            try:
                self._stored = self._checked()
            except Mismatch:
                # The file is the far side's by now, and its name not ours to clear.
                return None
        return self._stored

    def _request(self) -> None:
        before, self._asked = self._asked, True
        try:
            self._send()
        except Transient:
            raise
        except TransferError:
            # The former request may have been carried out between the look and this one, which is refused for that.
            if before and self._is_ours():
                return
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
