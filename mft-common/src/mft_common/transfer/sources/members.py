"""The members of a checked archive as source files."""

from mft_common.endpoints.contract import Entry, Reader
from mft_common.transfer.sources.read_only import BlockReader, ReadOnly
from mft_common.transfer.steps.unzip import Archive, Unpacked


class MembersSource(ReadOnly):
    """The files of an archive whose `check` has passed; the path of each is its name in the archive."""

    def __init__(self, archive: Archive) -> None:
        super().__init__(tuple(Entry(member.name, member.size) for member in archive.members))
        self._archive = archive

    def _reader(self, entry: Entry) -> Reader:
        blocks = self._archive.blocks(Unpacked(entry.path, entry.size or 0))
        return BlockReader(entry, blocks, blocks.close)
