"""Protect and restore files of the format `.sealed`, version 1: docs/sealed-format.md.

`Seal` and `Unseal` are the steps of one file each. `read_head` tells the name of a protected file before the
file is restored; `Unseal(head.open_again)` then restores that same file.
"""

from mft_common.transfer.steps.sealed.errors import NotAuthentic, NotSealed, RecipientRefused
from mft_common.transfer.steps.sealed.head import Head, OpenKey, read_head
from mft_common.transfer.steps.sealed.header import SealedHeader
from mft_common.transfer.steps.sealed.metadata import Metadata
from mft_common.transfer.steps.sealed.sealing import Seal
from mft_common.transfer.steps.sealed.unsealing import Unseal

__all__ = [
    "Head",
    "Metadata",
    "NotAuthentic",
    "NotSealed",
    "OpenKey",
    "RecipientRefused",
    "Seal",
    "SealedHeader",
    "Unseal",
    "read_head",
]
