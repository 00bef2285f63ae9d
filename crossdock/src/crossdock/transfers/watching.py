"""Follow a transfer to its end, with a bar on a terminal."""

from collections.abc import Mapping
from typing import Final

from rich.console import Console

from crossdock.jobs.watching import Shown, follow
from crossdock.transfers.access import Access
from crossdock.transfers.printing import short
from mqmft_svc.domain.states import is_final
from mqmft_svc.domain.transfers import Transfer

# The exit codes of final states; every other one is 1.
_CODES: Final[Mapping[str, int]] = {"successful": 0, "partiallySuccessful": 4, "cancelled": 5, "deleted": 5}


def exit_code(transfer: Transfer) -> int:
    """Return the exit code for a transfer that is over: 0 successful, 4 in part, 5 stopped, 1 every other end."""
    return _CODES.get(transfer.state, 1)


def watch(access: Access, id_: str, console: Console | None) -> Transfer:
    """Return the transfer of a whole id once it is over. Without a console nothing is shown."""
    sizes = _Sizes(access)
    return follow(
        lambda: access.record(id_),
        lambda one: is_final(one.state),
        lambda one: Shown(short(one.id), f"{one.state} {one.successes}/{one.files}", one.bytes_sent, sizes.of(one)),
        console,
    )


class _Sizes:
    """The size of one transfer, which is read again only when its record has changed."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._at = -1
        self._size: int | None = None

    def of(self, transfer: Transfer) -> int | None:
        """Return the bytes of all its files, None while they are not known."""
        if transfer.updated_at != self._at:
            self._size = self._access.size(transfer)
            self._at = transfer.updated_at
        return self._size
