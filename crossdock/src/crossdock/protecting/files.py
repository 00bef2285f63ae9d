"""Say what protecting and restoring make of one file: the name beside it, and its steps."""

import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from crossdock.copying.changes import Change, ChangeOf
from crossdock.ends import Ends
from mft_common.clock import now_ms
from mft_common.endpoints.contract import Entry
from mft_common.endpoints.errors import BadName
from mft_common.hpke import Suite
from mft_common.transfer.steps.sealed import Metadata, OpenKey, Seal, Unseal, read_head
from sertainty_svc.domain.ids import Recipient
from sertainty_svc.domain.names import is_name
from sertainty_svc.domain.tasks import SEALED

_NS_PER_MS: Final = 1_000_000


@dataclass(frozen=True)
class Output:
    """The result of one file: its name beside the file, and the change on the way."""

    name: str
    change: ChangeOf


# Returns the output of a file; TransferError.
Prepare = Callable[[Ends, Path], Output]


def protecting(find_recipient: Callable[[], Recipient]) -> Prepare:
    """Return what protects files to an ID: `report.csv` becomes `report.csv.sealed` (89).

    `find_recipient` is asked for each file, and raises a TransferError where the ID cannot be used any more.
    """

    def change(entry: Entry) -> Change:
        recipient = find_recipient()
        time = None if entry.modified_at is None else entry.modified_at * _NS_PER_MS
        metadata = Metadata(entry.name, entry.size or 0, time, now_ms())
        suite = Suite(recipient.suite)
        # The time of the file can be read by the holders of the ID alone.
        return Change(steps=[lambda: Seal(recipient.uid, suite, recipient.public_key, metadata)], keep_time=False)

    def prepare(_ends: Ends, file: Path) -> Output:
        if not is_name(file.name):
            # Whoever has the ID could not restore it.
            raise BadName(f"{file.name}: no file is restored under such a name")
        return Output(f"{file.name}{SEALED}", change)

    return prepare


def restoring(open_key: OpenKey) -> Prepare:
    """Return what restores protected files under the name and with the time of their metadata (90)."""

    def prepare(ends: Ends, file: Path) -> Output:
        with ends.open(url_of_folder(file)) as folder, closing(folder.open(folder.stat(file.name))) as reader:
            head = read_head(reader.read, open_key)
        if not is_name(head.metadata.name):
            raise BadName(f"{file.name}: the name in it cannot be that of a file")
        change = Change(steps=[lambda: Unseal(head.open_again)], keep_time=False, modified_at=head.metadata.modified_at)
        return Output(head.metadata.name, lambda _entry: change)

    return prepare


def url_of_folder(file: Path) -> str:
    """Return the URL of the folder that a file lies in."""
    return f"file:{quote(os.fsencode(file.parent))}/"
