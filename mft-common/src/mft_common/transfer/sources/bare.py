"""Declare the endpoint that sources and private targets begin with: each of its calls is unsupported."""

from collections.abc import Iterator

from mft_common.endpoints.closing import Closing
from mft_common.endpoints.contract import Checkpoint, Entry, IfExists, Reader, Skipped, Writer, ignore
from mft_common.endpoints.errors import Unsupported
from mft_common.endpoints.names import Patterns


class BareEndpoint(Closing):
    """An endpoint that can do nothing; its heirs replace the calls that their features name."""

    def list(self, patterns: Patterns, *, recursive: bool = False, skipped: Skipped = ignore) -> Iterator[Entry]:
        """Raise Unsupported."""
        del patterns, recursive, skipped
        raise Unsupported("this endpoint lists no files")

    def stat(self, path: str) -> Entry:
        """Raise Unsupported."""
        raise Unsupported(f"{path}: this endpoint has no files to read")

    def open(self, entry: Entry, start: int = 0) -> Reader:
        """Raise Unsupported."""
        del start
        raise Unsupported(f"{entry.path}: this endpoint has no files to read")

    def writer(
        self, path: str, *, token: str, size: int | None = None, resume: Checkpoint | None = None,
        modified_at: int | None = None, if_exists: IfExists = "replace",
    ) -> Writer:  # fmt: skip
        """Raise Unsupported."""
        del token, size, resume, modified_at, if_exists
        raise Unsupported(f"{path}: this endpoint takes no files")

    def rename(self, path: str, target: str) -> None:
        """Raise Unsupported."""
        raise Unsupported(f"{path}: this endpoint renames no files to {target}")

    def delete(self, entry: Entry, *, token: str) -> None:
        """Raise Unsupported."""
        del token
        raise Unsupported(f"{entry.path}: this endpoint deletes no files")

    def make_folder(self, path: str) -> None:
        """Raise Unsupported."""
        raise Unsupported(f"{path}: this endpoint makes no folders")

    def sweep(self, token: str, temporaries: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Remove nothing: nothing can be unfinished here."""
        del token, temporaries
        return ()

    def close(self) -> None:
        """Do nothing."""
