"""Run a managed transfer: find the files of its items, then move one after another."""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from mft_common.endpoints.errors import Interrupted, TransferError
from mft_common.transfer.commit_proof import CommitProof
from mqmft_svc.domain.managed_files import ManagedFile
from mqmft_svc.domain.submissions import ItemRequest
from mqmft_svc.operations.managed.finding import Found, failed, files_of, messages_of
from mqmft_svc.operations.managed.moving import FileMove, Work, as_delivered
from mqmft_svc.operations.managed.order import DESTINATION, SOURCE, Order
from mqmft_svc.operations.managed.problems import Away, description_of, sentence_of
from mqmft_svc.operations.managed.queues.required import require_broker
from mqmft_svc.operations.managed.reports import Reports
from mqmft_svc.operations.managed.roots import Root
from mqmft_svc.operations.managed.spool import Spool, Waiting
from mqmft_svc.operations.managed.trying import Trying

FilesOf = Callable[[ItemRequest], Iterable[Found]]


@dataclass(slots=True)
class _Known:
    """The files of earlier runs: whether all were found, and are over, and the position of the next new one.

    All were found once one of them has begun.
    """

    all_found: bool = False
    all_over: bool = True
    next_position: int = 0

    def add(self, file: ManagedFile) -> None:
        """Count a file."""
        self.all_found = self.all_found or file.state == "moving" or file.delivered or file.tries > 0
        self.all_over = self.all_over and file.over
        self.next_position = max(self.next_position, file.position + 1)


class Run:
    """One run of a transfer. `left` says whether it may have left unfinished files, or sources moved aside."""

    def __init__(self, order: Order, reports: Reports, trying: Trying) -> None:
        self.left = False
        self._order = order
        self._reports = reports
        self._trying = trying

    def run(self) -> None:
        """Bring each file to its end; Interrupted, CommitRefused and Away leave the rest for another run."""
        try:
            with closing(Spool(Path(self._order.private))) as spool:
                self._run(spool)
        except Interrupted:
            raise
        except TransferError as error:
            # An error of an endpoint ends its file: this one is of the private file, and no fault of the transfer.
            raise Away(sentence_of(error)) from error

    def _run(self, spool: Spool) -> None:
        known = self._read_known(spool)
        if known.all_found and known.all_over:
            return
        with ExitStack() as stack:
            try:
                roots = {side: stack.enter_context(closing(self._open(side))) for side in self._order.sides}
            except Interrupted:
                raise
            except TransferError as error:
                self._fail_all(known, spool, error)
                return
            self._find(known, spool, lambda item: self._files_of(item, roots, spool))
            work = Work(self._order.token, self._reports, roots, self._trying)
            for one in spool.waiting():
                self._move(work, one)

    def _read_known(self, spool: Spool) -> _Known:
        """Put the files of earlier runs that are not over into the spool."""
        found = _Known()
        for file in self._known():
            found.add(file)
            spool.add_known(file)
            if not file.over:
                spool.add_waiting(Waiting(file))
        return found

    def _known(self) -> Iterator[ManagedFile]:
        yield from self._order.known
        if self._order.more:
            yield from self._reports.known(max((file.position for file in self._order.known), default=-1))

    def _open(self, side: str) -> Root:
        return self._trying.call(lambda: Root(self._order, side))

    def _files_of(self, item: ItemRequest, roots: Mapping[str, Root], spool: Spool) -> Iterable[Found]:
        def find() -> Iterable[Found]:
            require_broker(self._order, item)
            if item.source.type == "queue":
                return [messages_of(item, roots[DESTINATION])]
            target = None if item.destination.type == "queue" else roots[DESTINATION]
            return files_of(item, roots[SOURCE], target, spool, self._trying.check_stop)

        try:
            return self._trying.call(find)
        except Interrupted:
            raise
        except TransferError as error:
            return [failed(item, error)]

    def _find(self, known: _Known, spool: Spool, files_of_item: FilesOf) -> None:
        """Put the files that no earlier run has found into the spool; they get the next positions.

        What came to the source since all were found is no part of the transfer.
        """
        if not known.all_found:
            self._reports.found(self._new(known, spool, files_of_item))

    def _new(self, known: _Known, spool: Spool, files_of_item: FilesOf) -> Iterator[ManagedFile]:
        position = known.next_position
        for number, item in enumerate(self._order.items):
            before = spool.has_known(number)
            for found in files_of_item(item):
                if before and (found.is_item or spool.is_known(number, found.source)):
                    continue
                file = _file(position, number, found)
                position += 1
                if not file.over:
                    spool.add_waiting(Waiting(file, found.entry))
                yield file

    def _move(self, work: Work, one: Waiting) -> None:
        move = self._new_move(work, one)
        try:
            move.run()
        finally:
            self.left = self.left or move.left

    def _new_move(self, work: Work, one: Waiting) -> FileMove:
        item = self._order.items[one.file.item]
        if not item.has_queue:
            return FileMove(work, item, one.file, one.entry)
        # Imported here because queues alone need pika.
        from mqmft_svc.operations.managed.queues.moves import queue_move

        return queue_move(work, self._order, item, one.file, one.entry)

    def _fail_all(self, known: _Known, spool: Spool, error: TransferError) -> None:
        """End every file because a root cannot be opened; one that is delivered keeps its source."""
        self._find(known, spool, lambda item: [failed(item, error)])
        for one in spool.waiting():
            if one.file.delivered and self._order.items[one.file.item].source.type == "queue":
                # What is left to do is the broker's part.
                self._move(Work(self._order.token, self._reports, {}, self._trying), one)
                continue
            file = self._as_delivered(one.file).changed(checkpoint=None)
            self.left = self.left or bool(file.temporary) or file.delivered
            if not file.delivered:
                file = file.changed(state="failed", description=description_of(error))
            elif self._order.items[file.item].source.disposition == "delete":
                kept = f"{file.description} The source was not deleted: {sentence_of(error)}".strip()
                file = file.changed(state="warning", description=kept)
            else:
                file = file.changed(state="warning" if file.description else "successful")
            self._reports.ended(file)

    def _as_delivered(self, file: ManagedFile) -> ManagedFile:
        """Return a file as delivered where an earlier run was cut off after its commit, as the destination shows."""
        proof = CommitProof.of(file.checkpoint)
        if proof is None or self._order.items[file.item].destination.type == "queue":
            return file
        try:
            with closing(Root(self._order, DESTINATION)) as destination:
                look = functools.partial(destination.look, file.destination)
                there = proof.find(destination.endpoint, look, self._trying.stop)
        except Interrupted:
            raise
        except TransferError:
            return file
        return file if there is None else as_delivered(file, proof, there)


def _file(position: int, item: int, found: Found) -> ManagedFile:
    size, modified_at = (None, None) if found.entry is None else (found.entry.size, found.entry.modified_at)
    return ManagedFile(
        position=position,
        item=item,
        source=found.source,
        destination=found.destination,
        state="failed" if found.failure else "waiting",
        description=found.failure,
        size=size,
        modified_at=modified_at,
    )
