"""A kept copy as a source file."""

from typing import IO

from mft_common.endpoints.contract import Entry, Reader
from mft_common.transfer.sources.read_only import BlockReader, ReadOnly
from mft_common.transfer.steps.private_files import blocks_of


class KeptSource(ReadOnly):
    """An endpoint of the one file `name`, whose `size` bytes are in an open file; that is its caller's to close."""

    def __init__(self, file: IO[bytes], name: str, size: int) -> None:
        super().__init__((Entry(name, size),))
        self._file = file

    def _reader(self, entry: Entry) -> Reader:
        blocks = blocks_of(self._file)
        return BlockReader(entry, blocks, blocks.close)
