"""Find out whether a file that an earlier attempt or execution had made ready is at the destination (88)."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mft_common.endpoints.contract import Entry
from mft_common.endpoints.errors import Interrupted, TransferError
from mft_common.transfer.commit_proof import CommitProof
from sertainty_svc.domain.executions import ExecutionFile
from sertainty_svc.operations.running.disposing import ASIDE, Work
from sertainty_svc.operations.running.faults import TaskFault, sentence_of


@dataclass(frozen=True)
class Committed:
    """An output that is there: the `values` of its record, and the source version that it was made of.

    `entry` is None where the output may not survive a crash.
    """

    values: Mapping[str, Any]
    entry: Entry | None


def find_committed(work: Work, path: str, proof: CommitProof) -> Committed | None:
    """Return the output of a path where its commit was carried out; Interrupted, or TaskFault without a look at it."""
    destination = work.folders.destination
    look = functools.partial(destination.endpoint.stat, path)
    try:
        if proof.find(destination.endpoint, look, work.stop) is None:
            return None
    except Interrupted:
        raise
    except TransferError as error:
        raise TaskFault(f"{destination.text} cannot be looked at: {sentence_of(error)}") from error
    try:
        # The earlier attempt may have been cut off before the name was durable.
        destination.endpoint.make_durable(path)
    except TransferError:
        return Committed(proof.values, None)
    return Committed(proof.values, proof.entry)


def find_unproved(work: Work, file: ExecutionFile, entry: Entry) -> Committed | None:
    """Return the output of a file where an earlier execution had made it of this same version `entry` of the source.

    That execution was ended before it could record the commit. Interrupted, or TaskFault, as `find_committed`.
    """
    former = work.reports.find_unproved(file.path)
    proof = None if former is None else CommitProof.of(former.checkpoint)
    if former is None or proof is None or ASIDE in (former.checkpoint or {}):
        return None
    source = work.folders.source
    if former.destination != file.destination or source.identity(proof.entry) != source.identity(entry):
        return None
    return find_committed(work, file.destination, proof)
