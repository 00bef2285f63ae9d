"""Delete one file of a folder, and no other that takes its name meanwhile."""

import hashlib
import stat

from mft_common.endpoints.contract import Entry
from mft_common.endpoints.errors import Changed, NotFound
from mft_common.endpoints.file_listing import is_content_of, version_of
from mft_common.endpoints.file_writer import link_or_rename
from mft_common.endpoints.names import temporary_name
from mft_common.endpoints.system import System


def delete_version(system: System, name: str, folder: int, entry: Entry) -> None:
    """Delete the file `name` durably if it has the version of `entry`; Changed where it has not, NotFound without it.

    The file is renamed to a private name first and compared there: a name alone may have passed to another file since
    it was looked at. The private name follows from the version, so that another call ends a deletion that was cut off.
    """
    aside = temporary_name(name, hashlib.sha256(entry.version.encode()).hexdigest()[:32].upper())
    finished = _remove_aside(system, aside, folder, entry)
    try:
        status = system.status(name, folder)
    except FileNotFoundError:
        if finished:
            return
        raise
    if version_of(status) != entry.version:
        raise _changed(entry)
    try:
        system.rename(name, aside, folder)
    except FileNotFoundError as error:
        raise NotFound(f"{entry.path}: does not exist") from error
    if not _remove_aside(system, aside, folder, entry):
        _put_back(system, name, aside, folder, entry)


def _remove_aside(system: System, aside: str, folder: int, entry: Entry) -> bool:
    """Remove the file under the private name if its content is that of `entry`; return whether it was."""
    try:
        status = system.status(aside, folder)
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(status.st_mode) or not is_content_of(status, entry.version):
        return False
    system.remove(aside, folder)
    system.sync(folder)
    return True


def _put_back(system: System, name: str, aside: str, folder: int, entry: Entry) -> None:
    """Give a newer file its name back, without replacing a file that took the name meanwhile, and raise Changed."""
    try:
        linked = link_or_rename(system, aside, folder, name, folder)
    except FileExistsError as error:
        raise Changed(f"{_changed(entry)}; a newer file is kept as {aside}") from error
    if linked:
        system.remove(aside, folder)
    system.sync(folder)
    raise _changed(entry)


def _changed(entry: Entry) -> Changed:
    return Changed(f"{entry.path}: changed since it was read, so it was not deleted")
