"""Run a managed transfer: find the files of its items, then move one after another."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass

from mft_common.endpoints.contract import Entry
from mft_common.endpoints.errors import Interrupted, TransferError
from mqmft_svc.domain.managed_files import ManagedFile
from mqmft_svc.domain.submissions import ItemRequest
from mqmft_svc.operations.managed.committed import Sealed
from mqmft_svc.operations.managed.finding import Found, failed, files_of, messages_of
from mqmft_svc.operations.managed.moving import FileMove, Work
from mqmft_svc.operations.managed.order import DESTINATION, SOURCE, Order
from mqmft_svc.operations.managed.problems import description_of, sentence_of
from mqmft_svc.operations.managed.queues.required import require_broker
from mqmft_svc.operations.managed.reports import Reports
from mqmft_svc.operations.managed.roots import Root
from mqmft_svc.operations.managed.trying import Trying

FilesOf = Callable[[ItemRequest], list[Found]]


@dataclass(slots=True)
class _Waiting:
    """A file to be moved, and how this run has listed it; None where an earlier run has found it."""

    file: ManagedFile
    entry: Entry | None = None


class Run:
    """One run of a transfer. `left` says whether it may have left unfinished files, or sources moved aside."""

    def __init__(self, order: Order, reports: Reports, trying: Trying) -> None:
        self.left = False
        self._order = order
        self._reports = reports
        self._trying = trying

    def run(self) -> None:
        """Bring each file to its end; Interrupted, CommitRefused and Away leave the rest for another run."""
        known = list(self._known())
        if _all_found(known) and all(file.over for file in known):
            return
        with ExitStack() as stack:
            try:
                roots = {side: stack.enter_context(closing(self._open(side))) for side in self._order.sides}
            except Interrupted:
                raise
            except TransferError as error:
                self._fail_all(known, error)
                return
            waiting = self._find(known, lambda item: self._files_of(item, roots))
            work = Work(self._order.token, self._reports, roots, self._trying)
            for one in waiting:
                self._move(work, one)

    def _known(self) -> Iterator[ManagedFile]:
        yield from self._order.known
        if self._order.more:
            yield from self._reports.known(max((file.position for file in self._order.known), default=-1))

    def _open(self, side: str) -> Root:
        return self._trying.call(lambda: Root(self._order, side))

    def _files_of(self, item: ItemRequest, roots: Mapping[str, Root]) -> list[Found]:
        def find() -> list[Found]:
            require_broker(self._order, item)
            if item.source.type == "queue":
                return [messages_of(item, roots[DESTINATION])]
            target = None if item.destination.type == "queue" else roots[DESTINATION]
            return files_of(item, roots[SOURCE], target, self._trying.check_stop)

        try:
            return self._trying.call(find)
        except Interrupted:
            raise
        except TransferError as error:
            return [failed(item, error)]

    def _find(self, known: list[ManagedFile], files_of_item: FilesOf) -> list[_Waiting]:
        """Return the files that are not over; those that no earlier run has found get the next positions."""
        waiting = [_Waiting(file) for file in known if not file.over]
        if _all_found(known):
            # What came to the source since then is no part of the transfer.
            return waiting
        self._reports.found(self._new(known, files_of_item, waiting))
        return waiting

    def _new(self, known: list[ManagedFile], files_of_item: FilesOf, waiting: list[_Waiting]) -> Iterator[ManagedFile]:
        sources: dict[int, set[str]] = {}
        for file in known:
            sources.setdefault(file.item, set()).add(file.source)
        position = max((file.position for file in known), default=-1) + 1
        for number, item in enumerate(self._order.items):
            before = sources.get(number)
            for found in files_of_item(item):
                if before is not None and (found.source in before or found.entry is None):
                    continue
                file = _file(position, number, found)
                position += 1
                if not file.over:
                    waiting.append(_Waiting(file, found.entry))
                yield file

    def _move(self, work: Work, one: _Waiting) -> None:
        move = self._new_move(work, one)
        try:
            move.run()
        finally:
            self.left = self.left or move.left

    def _new_move(self, work: Work, one: _Waiting) -> FileMove:
        item = self._order.items[one.file.item]
        if not item.has_queue:
            return FileMove(work, item, one.file, one.entry)
        # Imported here because queues alone need pika.
        from mqmft_svc.operations.managed.queues.moves import queue_move

        return queue_move(work, self._order, item, one.file, one.entry)

    def _fail_all(self, known: list[ManagedFile], error: TransferError) -> None:
        """End every file because a root cannot be opened; one that is delivered keeps its source."""
        for one in self._find(known, lambda item: [failed(item, error)]):
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
        sealed = Sealed.of(file.checkpoint)
        if sealed is None or self._order.items[file.item].destination.type == "queue":
            return file
        try:
            with closing(Root(self._order, DESTINATION)) as destination:
                there = sealed.is_at(destination, file.destination, self._trying.stop)
        except Interrupted:
            raise
        except TransferError:
            return file
        return file if there is None else sealed.delivered(file, there)


def _all_found(known: list[ManagedFile]) -> bool:
    """Return whether an earlier run has found all files: it is so once one of them has begun."""
    return any(file.state == "moving" or file.delivered or file.tries > 0 for file in known)


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
