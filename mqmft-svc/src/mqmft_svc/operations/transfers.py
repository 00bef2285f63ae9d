"""Answer the requests for transfers of the record."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from mft_common.database import Database
from mqmft_svc.domain.ids import is_id
from mqmft_svc.domain.transfers import Item, Transfer
from mqmft_svc.errors import NoSuchTransfer
from mqmft_svc.operations.availability import Availability
from mqmft_svc.schemas.attributes import Selection
from mqmft_svc.schemas.documents import default_document, whole_document
from mqmft_svc.schemas.queries import ListQuery
from mqmft_svc.store import managed, visibility
from mqmft_svc.store import transfers as store


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Transfers as JSON values, and the number of all transfers of the record (50)."""

    transfers: list[dict[str, Any]]
    total: int


class Transfers:
    """The transfer resource; with `reset` it has only what began since the hub started (200)."""

    def __init__(self, database: Database, availability: Availability, *, reset: bool) -> None:
        self._database = database
        self._availability = availability
        self._reset = reset

    def list_transfers(self, query: ListQuery) -> Answer:
        """Return the newest transfers, or those nearest to one of them (37-45)."""
        self._availability.require()
        selection = query.selection
        with self._database.read() as connection:
            marks = {
                name: self._mark(connection, id_) for name, id_ in (("after", query.after), ("before", query.before))
            }
            plain = not selection.paths and not selection.everything
            matching = store.Filter(since=visibility.since(connection)) if self._reset else store.EVERY
            records = store.newest(connection, query.limit, matching, **marks, brief=plain)
            items = store.items(connection, [one.arrival for one in records]) if selection.needs_items else {}
            total = self._count(connection)
        shown = [self._document(one, items.get(one.arrival, ()), selection, plain=plain) for one in records]
        return Answer(transfers=shown, total=total)

    def get_transfer(self, id_: str, selection: Selection) -> Answer:
        """Return one transfer as a list of one (2); NoSuchTransfer, or AttributeNotApplicable (35)."""
        self._availability.require()
        with self._database.read() as connection:
            record = self._find(connection, id_)
            plain = not selection.paths and not selection.everything
            items = store.items(connection, [record.arrival])[record.arrival] if selection.needs_items else []
            total = self._count(connection)
        return Answer(transfers=[self._document(record, items, selection, plain=plain, single=True)], total=total)

    def require_visible(self, id_: str) -> None:
        """Raise NoSuchTransfer for a transfer of the time before the start that hides it."""
        if self._reset:
            with self._database.read() as connection:
                self._find(connection, id_)

    def _count(self, connection: sa.Connection) -> int:
        return visibility.count(connection) if self._reset else store.count(connection)

    def _document(
        self, record: Transfer, items: Sequence[Item], selection: Selection, *, plain: bool, single: bool = False
    ) -> dict[str, Any]:
        if plain:
            return default_document(record)
        whole = whole_document(record, items)
        if single:
            selection.check_applies(whole["transferSet"]["item"])
        return selection.extend(default_document(record), whole)

    def _mark(self, connection: sa.Connection, id_: str | None) -> Transfer | None:
        return None if id_ is None else self._find(connection, id_)

    def _find(self, connection: sa.Connection, id_: str) -> Transfer:
        key = id_.upper()
        found = store.find(connection, key) if is_id(key) else None
        if found is None or (self._reset and self._is_hidden(connection, found)):
            raise NoSuchTransfer(id=id_)
        return found

    @staticmethod
    def _is_hidden(connection: sa.Connection, found: Transfer) -> bool:
        """Return whether a transfer began before the start, and its request was not repeated since (152)."""
        since = visibility.since(connection)
        return found.started_at < since and not managed.was_repeated(connection, found.id, since)
