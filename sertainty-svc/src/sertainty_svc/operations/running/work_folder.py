"""Give a script a private folder to work in, and remove it with all that the script has left there."""

import contextlib
import os
import pwd
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from mft_common import logs
from sertainty_svc.operations.running.order import Order

# The hub's own state cannot be reached by another user. The name begins with a dot, so that no task takes it for files.
_OF_OTHER_USERS: Final = ".scripts"
_TRAVERSABLE: Final = 0o711


@contextmanager
def work_folder(order: Order) -> Iterator[Path]:
    """Give a new folder that only the user of the script can enter, for the block; OSError.

    It lies in the order's private folder, or in `DATA/.scripts` where the script has a user of its own. Its name has
    the execution's token, by which `remove_left` finds it after a kill.
    """
    parent = _parent(order)
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if order.script_user is not None:
        parent.chmod(_TRAVERSABLE)
    folder = Path(tempfile.mkdtemp(prefix=_prefix(order), dir=parent))
    try:
        give_to_user(folder, order.script_user)
        yield folder
    finally:
        _remove(folder)


def give_to_user(path: Path | int, user: str | None) -> None:
    """Make a folder, or a file by its descriptor, that of the script's user, if there is one, whom the system knows."""
    if user is not None:
        found = pwd.getpwnam(user)
        if found.pw_uid != os.geteuid():
            os.chown(path, found.pw_uid, found.pw_gid)


def remove_left(order: Order) -> None:
    """Remove the folders that killed runs of this execution have left."""
    for folder in _parent(order).glob(f"{_prefix(order)}*"):
        _remove(folder)


def _parent(order: Order) -> Path:
    return Path(order.private) if order.script_user is None else Path(order.data, _OF_OTHER_USERS)


def _prefix(order: Order) -> str:
    return f"script-{order.token}-"


def _remove(folder: Path) -> None:
    """Remove a folder in which nobody works any more; what cannot be removed is logged."""
    try:
        top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            os.fchmod(top, 0o700)
            while names := _names(top):
                for name in names:
                    _remove_entry(top, name)
        finally:
            os.close(top)
        folder.rmdir()
    except OSError as error:
        logs.get("scripts").warning("work_folder.left", folder=folder.name, error=str(error))


def _names(folder: int) -> list[str]:
    with os.scandir(folder) as found:
        return [entry.name for entry in found]


def _remove_entry(top: int, name: str) -> None:
    """Remove a file; of a folder, move the content into `top` before: however deep it is, no path gets long."""
    with contextlib.suppress(IsADirectoryError, PermissionError):
        os.unlink(name, dir_fd=top)
        return
    _make_writable(top, name)
    folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=top)
    try:
        for child in _names(folder):
            with contextlib.suppress(IsADirectoryError, PermissionError):
                os.unlink(child, dir_fd=folder)
                continue
            # A folder whose parent changes must be writable.
            with contextlib.suppress(NotADirectoryError):
                _make_writable(folder, child)
            os.rename(child, f"moved-{secrets.token_hex(8)}", src_dir_fd=folder, dst_dir_fd=top)
    finally:
        os.close(folder)
    os.rmdir(name, dir_fd=top)


def _make_writable(parent: int, name: str) -> None:
    """Give the owner of a folder all rights to it.

    Another script of the same user may put a link in its place at any moment: no link is followed.
    """
    folder = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
    try:
        # Such a descriptor needs no rights on the folder, and `fchmod` does not take it.
        Path(f"/proc/self/fd/{folder}").chmod(0o700)
    finally:
        os.close(folder)
