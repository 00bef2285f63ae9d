"""A small file system of its own for one program, which a test can fill."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

_BLOCK = 4096
# A user namespace lets a user who is not root mount.
_UNSHARE = ("unshare", "--mount") if os.geteuid() == 0 else ("unshare", "--mount", "--map-root-user")


def on_small_disk(command: Sequence[object], folder: Path, *, mebibytes: int) -> list[str]:
    """Return the command that runs `command` with a new file system mounted at `folder`, which it alone sees."""
    folder.mkdir(parents=True, exist_ok=True)
    script = f'mount -t tmpfs -o size={mebibytes}m small "$0" && exec "$@"'
    return [*_UNSHARE, "bash", "-c", script, str(folder), *map(str, command)]


class SmallDisk:
    """The file system of a running program, seen through that program."""

    def __init__(self, pid: int, folder: Path) -> None:
        self.folder = Path(f"/proc/{pid}/root{folder}")
        self._filler = self.folder / "filler"

    def fill(self, leave: int = 0) -> None:
        """Take all free blocks but `leave` of them."""
        with self._filler.open("ab", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * _BLOCK)
            except OSError:
                size = file.tell() // _BLOCK * _BLOCK
                file.truncate(max(0, size - leave * _BLOCK))

    def free(self) -> int:
        """Return the number of free bytes."""
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize

    def make_room(self) -> None:
        """Give back what `fill` took."""
        self._filler.unlink()


def run_on_small_disk(command: Sequence[object], folder: Path, *, mebibytes: int) -> subprocess.CompletedProcess[str]:
    """Run a command to its end on a file system of its own."""
    return subprocess.run(
        on_small_disk(command, folder, mebibytes=mebibytes), capture_output=True, text=True, timeout=120, check=False
    )
