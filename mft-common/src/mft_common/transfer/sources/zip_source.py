"""Several files of an endpoint as one source file: their archive, made while it is read."""

import contextlib
import zipfile
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass

from mft_common.endpoints.contract import BLOCK, Endpoint, Entry, Reader
from mft_common.endpoints.errors import Changed
from mft_common.transfer.digests import Digest, Digests
from mft_common.transfer.reading import pieces
from mft_common.transfer.sources.read_only import BlockReader, ReadOnly
from mft_common.transfer.steps import MakeSteps
from mft_common.transfer.steps.chain import finished, new_steps, through
from mft_common.transfer.steps.zips import Member, zipped


@dataclass(frozen=True)
class ZippedMember:
    """A file that was packed: the version that was read, whose digest is of its own bytes before any step."""

    entry: Entry
    digest: Digest


class ZipSource(ReadOnly):
    """An endpoint of one file, `name`: the archive of `files`, sorted by name, each changed by its `steps`.

    `members` are those that the last reading has packed to their ends; each is read in the version in which it is
    opened, and Changed where that changes meanwhile. The archive's size is known when it has been read.
    """

    def __init__(
        self,
        source: Endpoint,
        files: Sequence[Entry],
        name: str,
        steps: Callable[[Entry], MakeSteps | None] = lambda _entry: None,
    ) -> None:
        super().__init__((Entry(name),))
        self.members: list[ZippedMember] = []
        self._source = source
        self._files = tuple(files)
        self._steps = steps

    def _reader(self, entry: Entry) -> Reader:
        # A new list: an earlier reading may still end in a thread of its own.
        members: list[ZippedMember] = []
        self.members = members
        under_way = contextlib.ExitStack()
        blocks = self._blocks(members, under_way)

        def close() -> None:
            blocks.close()
            under_way.close()

        return BlockReader(entry, blocks, close)

    def _blocks(self, members: list[ZippedMember], under_way: contextlib.ExitStack) -> Generator[bytes]:
        def member(entry: Entry) -> Member:
            return Member(entry.path, lambda: self._file(entry, members, under_way), entry.modified_at, entry.size)

        try:
            yield from zipped([member(entry) for entry in self._files])
        except (zipfile.LargeZipFile, RuntimeError) as error:
            # The format has room for 4 GiB where a member was listed as a small one.
            raise Changed("a source grew while it was packed") from error

    def _file(self, entry: Entry, members: list[ZippedMember], under_way: contextlib.ExitStack) -> Iterator[bytes]:
        """Yield a file's bytes after its steps; what is open meanwhile is in `under_way`."""
        reader = self._source.open(entry)
        under_way.callback(reader.close)
        steps = new_steps(self._steps(entry), under_way)
        digests = Digests()
        for piece in pieces(reader, digests, BLOCK, entry.path):
            yield from through(steps, piece.block)
        yield from finished(steps)
        members.append(ZippedMember(reader.entry, digests.result()))
        under_way.close()
