"""Move files between endpoints so that nobody ever sees part of one: the byte-moving engine of every service."""

from mft_common.transfer.bandwidth import Bandwidth
from mft_common.transfer.copying import Copied
from mft_common.transfer.digests import Digest
from mft_common.transfer.engine import Moved, Mover
from mft_common.transfer.interrupt import Interrupt

__all__ = ["Bandwidth", "Copied", "Digest", "Interrupt", "Moved", "Mover"]
