"""Take one file into a private file without a name, so that it can be checked as a whole before it is used."""

from pathlib import Path
from typing import IO, Final

from mft_common.endpoints.contract import Begins, Checkpoint, Features, IfExists, Stored, Verify, note_nothing
from mft_common.endpoints.errors import Mismatch, os_errors
from mft_common.transfer.sources.bare import BareEndpoint
from mft_common.transfer.steps.private_files import unnamed_file, write_all

_FEATURES: Final = Features(listing=False, renaming=False, deleting=False, visible_at_commit=True)


class PrivateTarget(BareEndpoint):
    """An endpoint for one file below `private`, which is gone with the process; `file` is open once it was committed.

    Its caller closes the file.
    """

    features = _FEATURES

    def __init__(self, private: Path) -> None:
        self.file: IO[bytes] | None = None
        self._private = private

    def writer(
        self, path: str, *, token: str, size: int | None = None, resume: Checkpoint | None = None,
        modified_at: int | None = None, if_exists: IfExists = "replace",
    ) -> "PrivateWriter":  # fmt: skip
        """Return a writer; there is nothing to replace and nothing to go on with."""
        del token, size, resume, modified_at, if_exists
        return PrivateWriter(self, path, self._private)


class PrivateWriter:
    """A private file on its way in; its bytes need not survive a crash."""

    temporary = ""

    def __init__(self, target: PrivateTarget, path: str, private: Path) -> None:
        self._target = target
        self._path = path
        self._private = private
        self._file: IO[bytes] | None = None
        self._stored = Stored(0, "")

    def begin(self, begins: Begins = note_nothing) -> int:
        """Make the file."""
        begins("")
        self._file = unnamed_file(self._private)
        return 0

    def feed(self, block: bytes | memoryview) -> None:
        """Write a block."""
        assert self._file is not None
        with os_errors(self._path):
            write_all(self._file, block)

    def flush(self) -> Checkpoint:
        """Return that nothing is safe."""
        return Checkpoint(0)

    def seal(self, size: int, sha256: str, verify: Verify) -> bool:
        """Compare the size; Mismatch."""
        del verify
        assert self._file is not None
        with os_errors(self._path):
            found = self._file.seek(0, 2)
        if found != size:
            raise Mismatch(f"{self._path}: {found} bytes were kept of {size}")
        self._stored = Stored(size, sha256)
        return True

    def commit(self) -> Stored:
        """Give the file to the target."""
        if self._file is not None:
            self._target.file, self._file = self._file, None
        return self._stored

    def abort(self, *, keep: bool = False) -> Stored | None:
        """Remove the file."""
        del keep
        if self._file is not None:
            self._file.close()
            self._file = None
        return None
