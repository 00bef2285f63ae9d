"""Move one version of a file to a free name of another folder of the same file system."""

import contextlib
import errno
from dataclasses import dataclass

from mft_common.endpoints.contract import Entry
from mft_common.endpoints.errors import Changed, Exists
from mft_common.endpoints.file_listing import is_content_of, version_of
from mft_common.endpoints.file_writer import link_or_rename
from mft_common.endpoints.system import System


@dataclass(frozen=True)
class Place:
    """A name in an open folder."""

    name: str
    folder: int


def rename_version(system: System, old: Place, new: Place, entry: Entry, shown: str) -> bool:
    """Rename the file `old` to `new` durably; False where the two are on different file systems.

    Exists where the name is taken. Changed where the file has another version than that of `entry` by now: a newer one
    keeps its name, or gets it back. OSError for what the system refuses. `shown` is the target in messages.
    """
    if version_of(system.status(old.name, old.folder)) != entry.version:
        raise _changed(entry)
    with contextlib.suppress(FileNotFoundError):
        system.status(new.name, new.folder)
        raise Exists(f"{shown}: exists already")
    try:
        linked = link_or_rename(system, old.name, old.folder, new.name, new.folder)
    except OSError as error:
        if error.errno == errno.EXDEV:
            return False
        raise
    if not is_content_of(system.status(new.name, new.folder), entry.version):
        # Another program has put a newer file there since the look.
        raise _changed(entry, "" if _is_put_back(system, old, new, linked=linked) else f"; a newer file is now {shown}")
    system.sync(new.folder)
    if linked and is_content_of(system.status(old.name, old.folder), entry.version):
        system.remove(old.name, old.folder)
    system.sync(old.folder)
    return True


def _is_put_back(system: System, old: Place, new: Place, *, linked: bool) -> bool:
    """Give a newer file its name back; False where yet another one has it by now: both are kept."""
    if linked:
        system.remove(new.name, new.folder)
        return True
    try:
        if link_or_rename(system, new.name, new.folder, old.name, old.folder):
            system.remove(new.name, new.folder)
    except FileExistsError:
        return False
    return True


def _changed(entry: Entry, kept: str = "") -> Changed:
    return Changed(f"{entry.path}: changed since it was read, so it was not moved{kept}")
