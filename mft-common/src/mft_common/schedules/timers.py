"""Keep timers as rows of the database, each of which fires once by one worker of several.

A timer's row moves to its next time in the transaction of its callback, so that a crash fires it neither twice nor
never. Times are those of the wall clock. A clock that is set forward makes times due, by the misfire rule where they
are late. One that is set back by little repeats none; by more, times are counted anew from the time that it shows.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from mft_common.backoff import pause_after
from mft_common.database.transient import is_transient
from mft_common.errors import MftError
from mft_common.schedules.repeating import Interval
from mft_common.schedules.section import Schedule, of_text, to_text

Misfire = Literal["skip", "once", "record"]

_FIRST_PAUSE_MS: Final = 1_000
_LONGEST_PAUSE_MS: Final = 300_000
_DAY_MS: Final = 86_400_000
_HOUR_MS: Final = 3_600_000
_FROZEN_S: Final = 15.0
_NOT_TRIED: Final = {"failures": 0, "tried_at": None}


class Operations(Protocol):
    """The part of alembic's `op` that a migration uses here."""

    def get_bind(self) -> sa.Connection:
        """Return the migration's connection."""
        ...


class FiringFailed(MftError):  # noqa: N818 -- the name of a condition
    """The callback of a due timer raised an error, which is the cause; `key` names the timer."""

    def __init__(self, key: str) -> None:
        super().__init__(f"{key}: the callback of the timer failed")
        self.key = key


@dataclass(frozen=True, kw_only=True)
class Firing:
    """A due time of a timer. `missed` is True where it only reports a time that passed while no worker ran.

    `due_at` and `first_due_at` are milliseconds: the time that this firing stands for, and the first one since the last
    firing. Times between the two were passed over.
    """

    key: str
    payload: str
    due_at: int
    first_due_at: int
    missed: bool = False


Callback = Callable[[sa.Connection, Firing], None]


class Timers:
    """The timers of one service, in a table of its database. Every method works in the caller's transaction.

    A key is a path such as `transaction/NAME`; `prefix` selects those that begin with it. A worker that freezes in the
    middle of a firing keeps that timer locked for `frozen` seconds: then PostgreSQL ends its session.
    """

    def __init__(self, metadata: sa.MetaData, name: str = "timer", *, frozen: float = _FROZEN_S) -> None:
        self._table = _table(metadata, name)
        self._frozen_ms = str(int(frozen * 1000))

    def set(
        self, connection: sa.Connection, key: str, schedule: Schedule, now: int, *, misfire: Misfire, payload: str = ""
    ) -> int | None:
        """Make a timer or change it; return its next time, None where the schedule has none and no timer was made.

        A timer whose schedule stays the same keeps its next time, so that a time missed before this start is seen. A
        changed one is due at the first time of the new schedule after `now`.
        """
        text = to_text(schedule)
        c = self._table.c
        kept = sa.update(self._table).where(c.key == key, c.schedule == text)
        due = connection.execute(kept.values(misfire=misfire, payload=payload).returning(c.due_at)).scalar()
        if due is not None:
            return int(due)
        next_at = schedule.next_after(now)
        if next_at is None:
            self.remove(connection, key)
        else:
            tolerance = _HOUR_MS if isinstance(schedule, Interval) else _DAY_MS
            self._put(
                connection, key, next_at, now, schedule=text, misfire=misfire, payload=payload, tolerance=tolerance
            )
        return next_at

    def set_once(
        self, connection: sa.Connection, key: str, at: int, now: int, *, misfire: Misfire = "once", payload: str = ""
    ) -> None:
        """Make or replace a timer that fires at one time and is gone then."""
        self._put(connection, key, at, now, schedule="", misfire=misfire, payload=payload, tolerance=_DAY_MS)

    def remove(self, connection: sa.Connection, *keys: str) -> None:
        """Delete timers; keys that have none are no error."""
        connection.execute(sa.delete(self._table).where(self._table.c.key.in_(keys)))

    def keep_only(self, connection: sa.Connection, prefix: str, keys: Collection[str]) -> None:
        """Delete the timers of `prefix` that are not among `keys`."""
        c = self._table.c
        found = connection.execute(sa.select(c.key).where(c.key.startswith(prefix, autoescape=True))).scalars()
        for key in set(found) - set(keys):
            self.remove(connection, key)

    def next_times(self, connection: sa.Connection, prefix: str = "") -> dict[str, int]:
        """Return the next time of each timer of `prefix`, by key."""
        c = self._table.c
        found = sa.select(c.key, c.due_at).where(c.key.startswith(prefix, autoescape=True))
        return {row.key: row.due_at for row in connection.execute(found)}

    def next_due(self, connection: sa.Connection) -> int | None:
        """Return the earliest time at which a timer may fire; None without timers."""
        found: int | None = connection.execute(sa.select(sa.func.min(self._table.c.wake_at))).scalar()
        return found

    def fire_one(self, connection: sa.Connection, callback: Callback, now: int, grace: int) -> str | None:
        """Fire the timer that is due first, if any, and move it to its next time; return its key.

        Times that are older than `grace` milliseconds were missed. By the timer's rule they are passed over (`skip`),
        the last one fires once (`once`), or the last one is reported by a Firing with `missed` (`record`). Several
        times that are due are one firing, that of the last. FiringFailed where the callback raised: the transaction
        must be rolled back, and `failed` keeps the timer from being the first one again.
        """
        c = self._table.c
        due = sa.select(self._table).where(c.wake_at <= now).order_by(c.wake_at, c.key).limit(1)
        row = connection.execute(due.with_for_update(skip_locked=True)).first()
        if row is None:
            return None
        if connection.dialect.name == "postgresql":
            limit = sa.func.set_config("idle_in_transaction_session_timeout", self._frozen_ms, True)
            connection.execute(sa.select(limit))
        schedule = of_text(row.schedule)
        next_at = None if schedule is None else schedule.next_after(now)
        moved = self._table.update().where(c.key == row.key, c.due_at == row.due_at)
        if next_at is None:
            connection.execute(sa.delete(self._table).where(c.key == row.key))
        else:
            connection.execute(moved.values(due_at=next_at, wake_at=next_at, since=now, **_NOT_TRIED))
        try:
            for firing in _firings(row, schedule, now, grace):
                callback(connection, firing)
        except Exception as error:
            if is_transient(error):
                raise
            raise FiringFailed(str(row.key)) from error
        return str(row.key)

    def failed(self, connection: sa.Connection, key: str, now: int) -> int:
        """Note that the callback of a due timer failed; return the pause before it is tried again, in milliseconds.

        The pause grows with each failure, from 1 s to 5 minutes. The due time stays the same.
        """
        c = self._table.c
        where = sa.update(self._table).where(c.key == key, c.due_at <= now)
        values = {"failures": c.failures + 1, "tried_at": sa.func.coalesce(c.tried_at, now)}
        failures = connection.execute(where.values(values).returning(c.failures)).scalar()
        pause = pause_after(failures or 1, _FIRST_PAUSE_MS, _LONGEST_PAUSE_MS)
        connection.execute(where.values(wake_at=now + pause))
        return pause

    def correct(self, connection: sa.Connection, now: int) -> list[str]:
        """Move the timers whose times were counted by a clock that has been set back since; return their keys.

        That is where the clock shows a time more than an hour before the one at which the timer was moved last for an
        Interval, more than a day for schedules that name times of the clock: each of those comes once. A pause after a
        failure that lies too far ahead ends.
        """
        c = self._table.c
        paused = (c.due_at <= now, c.wake_at > now + _LONGEST_PAUSE_MS)
        connection.execute(sa.update(self._table).where(*paused).values(wake_at=now))
        ahead = sa.select(c.key, c.schedule, c.due_at).where(c.since > now + c.tolerance, c.schedule != "")
        corrected = []
        for row in connection.execute(ahead).all():
            schedule = of_text(row.schedule)
            next_at = None if schedule is None else schedule.next_after(now)
            if next_at is None:
                continue
            moved = sa.update(self._table).where(c.key == row.key, c.due_at == row.due_at)
            if connection.execute(moved.values(due_at=next_at, wake_at=next_at, since=now)).rowcount:
                corrected.append(str(row.key))
        return corrected

    def _put(self, connection: sa.Connection, key: str, at: int, now: int, **values: Any) -> None:
        insert: Any = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        values |= {"due_at": at, "wake_at": at, "since": now, **_NOT_TRIED}
        added = insert(self._table).values(key=key, **values)
        connection.execute(added.on_conflict_do_update(index_elements=["key"], set_=values))


def _firings(row: Any, schedule: Schedule | None, now: int, grace: int) -> list[Firing]:
    """Return what a due timer does: nothing, one firing, or the report of a missed time and a firing."""

    def firing(due_at: int, *, missed: bool = False) -> Firing:
        return Firing(key=row.key, payload=row.payload, due_at=due_at, first_due_at=row.due_at, missed=missed)

    # A firing that failed and is tried again later is no more late than it was at its first try.
    limit = (now if row.tried_at is None else min(now, row.tried_at)) - grace
    latest = _last_time(schedule, row.due_at, now)
    if row.due_at >= limit or row.misfire == "once":
        return [firing(latest)]
    on_time = [firing(latest)] if latest >= limit else []
    if row.misfire == "skip":
        return on_time
    return [firing(_last_time(schedule, row.due_at, limit - 1), missed=True), *on_time]


def _last_time(schedule: Schedule | None, first: int, until: int) -> int:
    """Return the last time of a schedule from its time `first` to `until`, both in milliseconds."""
    if schedule is None:
        return first
    low, high = first, until
    # The last time is the first instant after which there is none until `until`.
    while low < high:
        middle = (low + high) // 2
        following = schedule.next_after(middle)
        if following is not None and following <= until:
            low = following
        else:
            high = middle
    return low


def _table(metadata: sa.MetaData, name: str) -> sa.Table:
    table = sa.Table(
        name,
        metadata,
        sa.Column("key", sa.String(255), primary_key=True),
        sa.Column("schedule", sa.Text(), nullable=False),
        sa.Column("misfire", sa.String(16), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("wake_at", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("tolerance", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("tried_at", sa.BigInteger()),
    )
    sa.Index(f"{name}_wake_at", table.c.wake_at)
    return table


def create_table(op: Operations, name: str = "timer") -> None:
    """Create the table in a migration."""
    metadata = sa.MetaData()
    _table(metadata, name)
    metadata.create_all(op.get_bind(), checkfirst=False)


def drop_table(op: Operations, name: str = "timer") -> None:
    """Drop the table in a migration."""
    metadata = sa.MetaData()
    _table(metadata, name)
    metadata.drop_all(op.get_bind(), checkfirst=False)
