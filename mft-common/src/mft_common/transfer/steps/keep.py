"""Keep a copy of what passes, and require that what passes is what is expected."""

from collections.abc import Iterator
from pathlib import Path
from typing import IO

from mft_common.endpoints.errors import Changed, os_errors
from mft_common.transfer.digests import Digest, Digests
from mft_common.transfer.steps.private_files import unnamed_file, write_all


class Kept:
    """A copy of one file below `private`, without a name; the step of each try begins it anew."""

    def __init__(self, private: Path) -> None:
        self.file: IO[bytes] | None = None
        self._private = private

    def step(self) -> "Keep":
        """Return the step of one try."""
        self.close()
        self.file = unnamed_file(self._private)
        return Keep(self.file)

    def close(self) -> None:
        """Remove the copy."""
        if self.file is not None:
            self.file.close()
            self.file = None


class Keep:
    """The step that writes each block to `file` and passes it on."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def feed(self, block: bytes) -> Iterator[bytes]:
        """Keep the block and return it."""
        with os_errors("a private file"):
            write_all(self._file, block)
        yield block

    def finish(self) -> tuple[()]:
        """Return nothing more."""
        return ()

    def close(self) -> None:
        """Do nothing: the copy is needed after the file has passed."""


class Expect:
    """The step that passes a file of exactly this size and SHA-256; Changed for any other, at its end."""

    def __init__(self, expected: Digest) -> None:
        self._expected = expected
        self._digests = Digests()

    def feed(self, block: bytes) -> Iterator[bytes]:
        """Return the block."""
        self._digests.update(block)
        yield block

    def finish(self) -> tuple[()]:
        """Return nothing more; Changed where the file is another."""
        found = self._digests.result()
        if (found.size, found.sha256) != (self._expected.size, self._expected.sha256):
            raise Changed(f"{found.size} bytes were read that are not those of before")
        return ()

    def close(self) -> None:
        """Do nothing."""
