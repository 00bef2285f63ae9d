"""Tell whether a file of the source is the one that an earlier attempt of the job has delivered."""

from dataclasses import replace

from diplomat_svc.domain.states import DELIVERED
from diplomat_svc.operations.file_messages import Earlier
from mft_common.endpoints.contract import BLOCK, Endpoint, Entry
from mft_common.endpoints.errors import Interrupted, TransferError
from mft_common.transfer import Digest, Interrupt
from mft_common.transfer.digests import Digests


class EarlierFiles:
    """Compares the files of `source` with those of earlier attempts; `stop` ends a long comparison."""

    def __init__(self, source: Endpoint, stop: Interrupt) -> None:
        self._source = source
        self._stop = stop

    def delivered(self, entry: Entry, earlier: Earlier | None) -> Entry | None:
        """Return the version of the file whose content exactly is delivered, None where it is another.

        Transient where that cannot be found out now. Where a listing has no versions, the file is asked for its own;
        where it has none, its bytes are compared.
        """
        if earlier is None or earlier.completion not in DELIVERED:
            return None
        try:
            there = entry if entry.version else self._source.stat(entry.path)
            if there.version and earlier.version:
                return there if there.version == earlier.version else None
            read, digest = read_through(self._source, entry, self._stop)
        except Interrupted:
            raise
        except TransferError as error:
            if error.heals:
                raise
            # It is gone or cannot be read, which its delivery will tell.
            return None
        return read if digest.sha256 == earlier.sha256 else None


def read_through(source: Endpoint, entry: Entry, stop: Interrupt) -> tuple[Entry, Digest]:
    """Read a file as it is now; return the version that was read, and its digest. `stop` ends the reading."""
    digests, reader = Digests(), source.open(replace(entry, version=""))
    try:
        while block := reader.read(BLOCK):
            digests.update(block)
            if stop.is_set():
                raise Interrupted(f"{entry.name}: stopped at byte {digests.size}")
        reader.check()
    finally:
        reader.close()
    return reader.entry, digests.result()
