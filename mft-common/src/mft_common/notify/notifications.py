"""Keep notifications as rows until they are delivered."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

import sqlalchemy as sa

from mft_common import clock, ids
from mft_common.storable_text import storable

Kind = Literal["webhook", "mail"]
# The kind and the target of a notification.
Receiver = tuple[str, str]
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_REASON_LENGTH: Final = 500
_LONGEST_TARGET: Final = 320
# No pause is as long as this.
_LATEST_MS: Final = 7 * 86_400_000


class Operations(Protocol):
    """The part of alembic's `op` that a migration uses here."""

    def get_bind(self) -> sa.Connection:
        """Return the migration's connection."""
        ...


@dataclass(frozen=True, kw_only=True)
class Notification:
    """One message to one receiver.

    `target` is a webhook's name in `Channels.webhooks`, or a mail address; `title` is an event's type or a mail's
    subject. `id` stays the same over all attempts, so that a receiver can drop what it had already. `attempts` and
    `reason` report the failures so far. Times are in milliseconds.
    """

    kind: Kind
    target: str
    title: str
    body: str
    created_at: int
    id: str = ""
    attempts: int = 0
    reason: str = ""


def webhook(name: str, event: str, data: Mapping[str, Any], at: int) -> Notification:
    """Return a webhook; its JSON body has the members `type`, `timestamp` (the time of the change) and `data`."""
    body = json.dumps({"type": event, "timestamp": clock.iso(at), "data": data}, ensure_ascii=False)
    return Notification(kind="webhook", target=name, title=event, body=body, created_at=at)


def mail(addresses: Collection[str], subject: str, text: str, at: int) -> list[Notification]:
    """Return one mail an address, so that a refused address is tried again without the others."""
    title = " ".join(subject.split())
    return [Notification(kind="mail", target=one, title=title, body=text, created_at=at) for one in addresses]


class Notifications:
    """The table of notifications that are not delivered yet; a delivered one is deleted."""

    def __init__(self, metadata: sa.MetaData, name: str = "notification") -> None:
        self.table = _table(metadata, name)

    def add(self, connection: sa.Connection, *notifications: Notification) -> None:
        """Store notifications in the caller's transaction."""
        rows = [
            {
                "id": one.id or ids.new_event_id(),
                "kind": one.kind,
                "target": storable(one.target)[:_LONGEST_TARGET],
                "title": storable(one.title),
                "body": storable(one.body),
                "created_at": one.created_at,
            }
            for one in notifications
        ]
        if rows:
            connection.execute(sa.insert(self.table), rows)

    def claim(
        self, connection: sa.Connection, now: int, until: int, limit: int, busy: Collection[Receiver] = ()
    ) -> Sequence[Notification]:
        """Take the oldest due notification of each of up to `limit` receivers; no other worker does before `until`.

        Receivers of `busy` are left out. The attempt is counted here, so that one that ends with the process counts
        too. A time later than any pause was written before the clock was set back, and is due. Every row is found by a
        seek in an index: rows that were given up or wait cost nothing.
        """
        c = self.table.c
        due = [
            row
            for receiver in self._receivers(connection)
            if receiver not in busy and (row := self._oldest(connection, receiver, now)) is not None
        ]
        positions = [position for _, position in sorted(due)[:limit]]
        if not positions:
            return []
        taken = sa.update(self.table).where(c.position.in_(positions))
        connection.execute(taken.values(attempts=c.attempts + 1, not_before=until))
        rows = connection.execute(sa.select(self.table).where(c.position.in_(positions)).order_by(c.position))
        return [_notification(row) for row in rows]

    def _receivers(self, connection: sa.Connection) -> Iterator[Receiver]:
        """Yield those that have notifications which were not given up."""
        c = self.table.c
        open_ones = sa.select(c.kind, c.target).where(sa.not_(c.given_up)).order_by(c.kind, c.target).limit(1)
        row = connection.execute(open_ones).first()
        while row is not None:
            yield row.kind, row.target
            after = sa.tuple_(c.kind, c.target) > sa.tuple_(sa.literal(row.kind), sa.literal(row.target))
            row = connection.execute(open_ones.where(after)).first()

    def _oldest(self, connection: sa.Connection, receiver: Receiver, now: int) -> tuple[int, int] | None:
        """Return since when a receiver's first due notification is due, and its position."""
        c = self.table.c
        own = (sa.not_(c.given_up), c.kind == receiver[0], c.target == receiver[1])
        for is_due in (c.not_before <= now, c.not_before > now + _LATEST_MS):
            first = sa.select(c.not_before, c.position).where(*own, is_due).order_by(c.not_before, c.position).limit(1)
            row = connection.execute(first.with_for_update(skip_locked=True)).first()
            if row is not None:
                return row.not_before, row.position
        return None

    def delivered(self, connection: sa.Connection, notification: Notification) -> None:
        """Delete a delivered notification."""
        connection.execute(sa.delete(self.table).where(self.table.c.id == notification.id))

    def failed(
        self, connection: sa.Connection, notification: Notification, reason: str, not_before: int, *, over: bool = False
    ) -> None:
        """Store why an attempt failed, and the time of the next one; with `over` it is given up at that time.

        An attempt whose time had run out meanwhile, and that another worker repeated, changes nothing.
        """
        c = self.table.c
        values = {"reason": storable(reason[:_REASON_LENGTH]), "given_up": over}
        mine = (c.id == notification.id, c.attempts == notification.attempts)
        connection.execute(sa.update(self.table).where(*mine).values(**values, not_before=not_before))

    def listing(self, connection: sa.Connection, *, given_up: bool = True) -> list[Notification]:
        """Return the notifications that were given up, or those that are still tried; the oldest first."""
        c = self.table.c
        rows = connection.execute(sa.select(self.table).where(c.given_up == given_up).order_by(c.position))
        return [_notification(row) for row in rows]

    def replay(self, connection: sa.Connection, chosen: Collection[str] | None = None) -> int:
        """Try notifications again that were given up, all or those with the ids `chosen`; return how many."""
        c = self.table.c
        which = c.given_up if chosen is None else sa.and_(c.given_up, c.id.in_(chosen))
        values = {"given_up": False, "attempts": 0, "not_before": 0}
        return connection.execute(sa.update(self.table).where(which).values(values)).rowcount

    def discard(self, connection: sa.Connection, chosen: Collection[str]) -> int:
        """Delete notifications that were given up, those with the ids `chosen`; return how many."""
        c = self.table.c
        return connection.execute(sa.delete(self.table).where(c.given_up, c.id.in_(chosen))).rowcount

    def purge(self, connection: sa.Connection, before: int, most: int) -> int:
        """Delete some of the notifications that were given up before a time, `most` at most; return how many."""
        c = self.table.c
        # Rows of earlier versions lack the time when they were given up.
        old = sa.select(c.position).where(c.given_up, c.not_before < before, c.created_at < before).limit(most)
        return connection.execute(sa.delete(self.table).where(c.position.in_(old))).rowcount


def _notification(row: Any) -> Notification:
    names = ("id", "kind", "target", "title", "body", "created_at", "attempts", "reason")
    return Notification(**{name: getattr(row, name) for name in names})


def _table(metadata: sa.MetaData, name: str) -> sa.Table:
    table = sa.Table(
        name,
        metadata,
        sa.Column("position", _NUMBER, sa.Identity(), primary_key=True),
        sa.Column("id", sa.String(64), nullable=False, unique=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("target", sa.String(_LONGEST_TARGET), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("not_before", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("given_up", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("reason", sa.Text(), nullable=False, server_default=""),
        sqlite_autoincrement=True,
    )
    c = table.c
    sa.Index(f"{name}_due", c.given_up, c.kind, c.target, c.not_before, c.position)
    return table


def create_table(op: Operations, name: str = "notification") -> None:
    """Create the table in a migration."""
    metadata = sa.MetaData()
    _table(metadata, name)
    metadata.create_all(op.get_bind(), checkfirst=False)


def drop_table(op: Operations, name: str = "notification") -> None:
    """Drop the table in a migration."""
    metadata = sa.MetaData()
    _table(metadata, name)
    metadata.drop_all(op.get_bind(), checkfirst=False)
