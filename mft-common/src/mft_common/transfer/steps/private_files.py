"""Make files without a name for bytes that may not be released yet."""

import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import IO

from mft_common.endpoints.contract import BLOCK
from mft_common.endpoints.errors import os_errors
from mft_common.page_cache import WRITE_AT_ONCE


def unnamed_file(folder: Path) -> IO[bytes]:
    """Open a file in `folder` that has no name: it is gone when it is closed and when the process dies."""
    with os_errors("a private file"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return tempfile.TemporaryFile(dir=folder, buffering=0)


def write_all(file: IO[bytes], block: bytes | memoryview) -> None:
    """Write a whole block: a file without a buffer may take a part of it at a time."""
    rest = memoryview(block)
    while rest:
        rest = rest[file.write(rest[:WRITE_AT_ONCE]) :]


def blocks_of(file: IO[bytes]) -> Generator[bytes]:
    """Yield the content of a file from its first byte on."""
    with os_errors("a private file"):
        file.seek(0)
        while block := file.read(BLOCK):
            yield block
