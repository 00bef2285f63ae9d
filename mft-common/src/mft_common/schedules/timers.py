"""Keep timers as rows of the database, each of which fires once by one worker of several.

A timer's row moves to its next time in the transaction of its callback, so that a crash fires it neither twice nor
never. Times are those of the wall clock. A clock that is set forward makes times due, by the misfire rule where they
are late. One that is set back by little repeats none; by more, times are counted anew from the time that it shows.

A row that cannot be read, such as one of a newer version of the program, is set aside: it keeps its due time, is listed
by `set_aside`, and is tried again after it was set anew.
"""

# ruff: noqa: N818 -- the names of conditions

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from mft_common.backoff import pause_after
from mft_common.database.transient import is_transient
from mft_common.errors import MftError
from mft_common.schedules.misfires import Firing, Misfire, read_due
from mft_common.schedules.repeating import Interval
from mft_common.schedules.section import Schedule, of_text, to_text
from mft_common.schedules.timer_table import timer_table
from mft_common.storable_text import storable

_FIRST_PAUSE_MS: Final = 1_000
_LONGEST_PAUSE_MS: Final = 300_000
_DAY_MS: Final = 86_400_000
_HOUR_MS: Final = 3_600_000
_FROZEN_S: Final = 15.0
_NOT_TRIED: Final = {"failures": 0, "tried_at": None, "unreadable": ""}
_REASON_LENGTH: Final = 500
_KEYS_AT_ONCE: Final = 500


class Unreadable(MftError):
    """The row of a due timer cannot be read, the cause says why; `key` names the timer, `schedule` is its text."""

    def __init__(self, key: str, schedule: str) -> None:
        super().__init__(f"{key}: the row of the timer cannot be read")
        self.key = key
        self.schedule = schedule


class FiringFailed(MftError):
    """The callback of a due timer raised an error, which is the cause; `key` names the timer."""

    def __init__(self, key: str) -> None:
        super().__init__(f"{key}: the callback of the timer failed")
        self.key = key


Callback = Callable[[sa.Connection, Firing], None]


class Timers:
    """The timers of one service, in a table of its database. Every method works in the caller's transaction.

    A key is a path such as `transaction/NAME`; `prefix` selects those that begin with it. A worker that freezes in the
    middle of a firing keeps that timer locked for `frozen` seconds: then PostgreSQL ends its session.
    """

    def __init__(self, metadata: sa.MetaData, name: str = "timer", *, frozen: float = _FROZEN_S) -> None:
        self._table = timer_table(metadata, name)
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
        due = connection.execute(
            kept.values(misfire=misfire, payload=payload, unreadable="").returning(c.due_at)
        ).scalar()
        if due is not None:
            return int(due)
        next_at = schedule.next_after(now)
        if next_at is None:
            self.remove(connection, key)
        else:
            self._put(connection, [_row(key, next_at, now, schedule, misfire=misfire, payload=payload)])
        return next_at

    def set_all(
        self,
        connection: sa.Connection,
        schedules: Mapping[str, tuple[Schedule, str]],
        now: int,
        *,
        misfire: Misfire,
    ) -> None:
        """Make or replace many timers by their keys, each with its schedule and its payload.

        Each is due at its first time after `now`; one whose schedule has none is removed.
        """
        rows, over = [], []
        for key, (schedule, payload) in sorted(schedules.items()):
            next_at = schedule.next_after(now)
            if next_at is None:
                over.append(key)
            else:
                rows.append(_row(key, next_at, now, schedule, misfire=misfire, payload=payload))
        if over:
            self.remove(connection, *over)
        if rows:
            self._put(connection, rows)

    def set_once(
        self, connection: sa.Connection, key: str, at: int, now: int, *, misfire: Misfire = "once", payload: str = ""
    ) -> None:
        """Make or replace a timer that fires at one time and is gone then."""
        self._put(connection, [_row(key, at, now, None, misfire=misfire, payload=payload)])

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

    def times_of(self, connection: sa.Connection, keys: Collection[str]) -> dict[str, int]:
        """Return the next times of the timers among `keys` that there are, by key."""
        c, wanted = self._table.c, sorted(keys)
        found: dict[str, int] = {}
        for start in range(0, len(wanted), _KEYS_AT_ONCE):
            some = sa.select(c.key, c.due_at).where(c.key.in_(wanted[start : start + _KEYS_AT_ONCE]))
            found |= {row.key: row.due_at for row in connection.execute(some)}
        return found

    def payloads(self, connection: sa.Connection, prefix: str = "") -> dict[str, str]:
        """Return the payload of each timer of `prefix`, by key."""
        c = self._table.c
        found = sa.select(c.key, c.payload).where(c.key.startswith(prefix, autoescape=True))
        return {row.key: row.payload for row in connection.execute(found)}

    def first_due(self, connection: sa.Connection, now: int) -> str | None:
        """Return the key of the timer that is due first; None where none is."""
        c = self._table.c
        found = sa.select(c.key).where(c.wake_at <= now, c.unreadable == "").order_by(c.wake_at, c.key).limit(1)
        return connection.execute(found).scalar()

    def next_due(self, connection: sa.Connection) -> int | None:
        """Return the earliest time at which a timer may fire; None without timers."""
        c = self._table.c
        found: int | None = connection.execute(sa.select(sa.func.min(c.wake_at)).where(c.unreadable == "")).scalar()
        return found

    def set_aside(self, connection: sa.Connection, prefix: str = "") -> dict[str, str]:
        """Return the timers of `prefix` whose rows cannot be read, by key, each with the reason."""
        c = self._table.c
        found = sa.select(c.key, c.unreadable).where(c.unreadable != "", c.key.startswith(prefix, autoescape=True))
        return {row.key: row.unreadable for row in connection.execute(found.order_by(c.key))}

    def put_aside(self, connection: sa.Connection, key: str, schedule: str, reason: str) -> None:
        """Fire a timer no more until it is set anew; nothing happens where that was done meanwhile."""
        c = self._table.c
        same = sa.update(self._table).where(c.key == key, c.schedule == schedule)
        connection.execute(same.values(unreadable=storable(reason[:_REASON_LENGTH]) or "unreadable"))

    def fire_one(
        self, connection: sa.Connection, callback: Callback, now: int, grace: int, key: str | None = None
    ) -> str | None:
        """Fire the timer that is due first, if any, and move it to its next time; return its key.

        With `key` no other one is fired.

        Times that are older than `grace` milliseconds were missed. By the timer's rule they are passed over (`skip`),
        the last one fires once (`once`), or the last one is reported by a Firing with `missed` (`record`). Several
        due times are one firing, that of the last. FiringFailed where the callback raised, Unreadable where the
        row could not be read: the transaction must be rolled back, and `failed` or `put_aside` keeps the timer from
        being the first one again.
        """
        c = self._table.c
        ripe = [c.wake_at <= now, c.unreadable == "", *([c.key == key] if key is not None else [])]
        due = sa.select(self._table).where(*ripe).order_by(c.wake_at, c.key).limit(1)
        row = connection.execute(due.with_for_update(skip_locked=True)).first()
        if row is None:
            return None
        if connection.dialect.name == "postgresql":
            limit = sa.func.set_config("idle_in_transaction_session_timeout", self._frozen_ms, True)
            connection.execute(sa.select(limit))
        try:
            next_at, firings = read_due(row, now, grace)
        except Exception as error:
            raise Unreadable(str(row.key), row.schedule) from error
        moved = self._table.update().where(c.key == row.key, c.due_at == row.due_at)
        if next_at is None:
            connection.execute(sa.delete(self._table).where(c.key == row.key))
        else:
            connection.execute(moved.values(due_at=next_at, wake_at=next_at, since=now, **_NOT_TRIED))
        try:
            for firing in firings:
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
        ahead = sa.select(c.key, c.schedule, c.due_at).where(
            c.since > now + c.tolerance, c.schedule != "", c.unreadable == ""
        )
        corrected = []
        for row in connection.execute(ahead).all():
            try:
                schedule = of_text(row.schedule)
                next_at = None if schedule is None else schedule.next_after(now)
            except Exception as error:  # noqa: BLE001 -- one row that cannot be read must not stop the others
                self.put_aside(connection, row.key, row.schedule, repr(error))
                continue
            if next_at is None:
                continue
            moved = sa.update(self._table).where(c.key == row.key, c.due_at == row.due_at)
            if connection.execute(moved.values(due_at=next_at, wake_at=next_at, since=now)).rowcount:
                corrected.append(str(row.key))
        return corrected

    def _put(self, connection: sa.Connection, rows: list[dict[str, Any]]) -> None:
        insert: Any = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        added = insert(self._table)
        values = {name: added.excluded[name] for name in rows[0] if name != "key"}
        connection.execute(added.on_conflict_do_update(index_elements=["key"], set_=values), rows)


def _row(key: str, at: int, now: int, schedule: Schedule | None, **values: Any) -> dict[str, Any]:
    """Return the row of a timer that is due at `at`; a change of the clock by its tolerance repeats no time."""
    tolerance = _HOUR_MS if isinstance(schedule, Interval) else _DAY_MS
    text = "" if schedule is None else to_text(schedule)
    return {
        "key": key, "due_at": at, "wake_at": at, "since": now, "schedule": text, "tolerance": tolerance,
        **values, **_NOT_TRIED,
    }  # fmt: skip
