"""Say what becomes of a file on its way: its bytes, and its time."""

from collections.abc import Callable
from dataclasses import dataclass

from mft_common.endpoints.contract import Entry
from mft_common.transfer.steps import MakeSteps


@dataclass(frozen=True, kw_only=True)
class Change:
    """The `steps` that a file passes; it keeps its time, or gets that of `modified_at`, in milliseconds."""

    steps: MakeSteps | None = None
    keep_time: bool = True
    modified_at: int | None = None


# Returns the change of a file, or raises a TransferError, which is the failure of that file.
ChangeOf = Callable[[Entry], Change]
