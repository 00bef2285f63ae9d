"""Let one of several workers own a piece of work for a time, and refuse the writes of one that owned it before.

`claim` gives a fence: a number that grows with each owner. A write of the owner calls `hold` in its own transaction,
which fails once the lease has lapsed or belongs to another. Times are never compared between machines. On PostgreSQL
they are those of the database server. On SQLite, whose processes share one machine, they are the kernel's monotonic
clock, which no change of the wall clock moves, together with the number of this boot: after a reboot every lease has
lapsed.
"""

# ruff: noqa: N818 -- the name of a condition

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from mft_common.database.statements import Connection, Statement
from mft_common.errors import MftError

_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
# The clock of PostgreSQL's leases; on SQLite the number of the boot stands in its place.
_SERVER: Final = "server"
_SERVER_NOW: Final = sa.cast(sa.extract("epoch", sa.func.clock_timestamp()) * 1000, sa.BigInteger())
_NONE: Final = ""


class LeaseLost(MftError):
    """The piece of work is no longer this owner's."""


@dataclass(frozen=True)
class Lease:
    """A lease that `owner` has got by a claim; it lasts `ttl` seconds from the claim or the last renewal on."""

    key: str
    owner: str
    fence: int
    ttl: float


class Operations(Protocol):
    """The part of alembic's `op` that a migration uses here."""

    def get_bind(self) -> sa.Connection:
        """Return the migration's connection."""
        ...


class Leases:
    """The leases of one service, in a table of its database. Every method works in the caller's transaction.

    A key is a path such as `worker/NAME`; `prefix` selects those that begin with it. An owner that freezes within a
    transaction that has changed its lease would keep the row locked: PostgreSQL ends its session after another `ttl`.
    """

    def __init__(self, metadata: sa.MetaData) -> None:
        self._table = _table(metadata)
        c = self._table.c
        text, number = sa.String(), sa.BigInteger()
        lease = (
            c.key == sa.bindparam("of", type_=text), c.owner == sa.bindparam("by", type_=text),
            c.fence == sa.bindparam("number", type_=number), c.clock == sa.bindparam("own_clock", type_=text),
        )  # fmt: skip
        nows = {"postgresql": _SERVER_NOW, "sqlite": sa.bindparam("now", type_=number)}
        self._lasts = {name: Statement(sa.select(c.key).where(*lease, c.until >= now)) for name, now in nows.items()}

    def claim(self, connection: sa.Connection, key: str, owner: str, ttl: float) -> Lease | None:
        """Give a piece of work to `owner` for `ttl` seconds; None while another lease on it lasts."""
        c, now = self._table.c, _now(connection)
        free = sa.or_(c.owner == _NONE, self._has_lapsed(connection))
        values = {"owner": owner, "until": _after(now, ttl), "clock": _clock(connection)}
        taken = sa.update(self._table).where(c.key == key, free).values(**values, fence=c.fence + 1)
        fence = _changed(connection, taken, ttl, c.fence)
        if fence is None:
            insert: Any = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
            added = insert(self._table).values(key=key, fence=1, **values).on_conflict_do_nothing()
            fence = _changed(connection, added, ttl, c.fence)
        return None if fence is None else Lease(key, owner, fence, ttl)

    def renew(self, connection: sa.Connection, lease: Lease) -> bool:
        """Let a lease last `ttl` seconds from now on; False once it has lapsed: a lapsed lease is never revived."""
        until = _after(_now(connection), lease.ttl)
        renewed = sa.update(self._table).where(*self._is_held(connection, lease)).values(until=until)
        return _changed(connection, renewed, lease.ttl, self._table.c.fence) is not None

    def hold(self, connection: sa.Connection, lease: Lease) -> None:
        """Raise LeaseLost unless the lease lasts; nobody else gets it before this transaction ends."""
        held = sa.update(self._table).where(*self._is_held(connection, lease)).values(fence=lease.fence)
        if _changed(connection, held, lease.ttl, self._table.c.fence) is None:
            raise LeaseLost(f"{lease.key}: the lease has lapsed, or belongs to another")

    def lasts(self, connection: Connection, lease: Lease) -> bool:
        """Return whether a lease lasts at this moment; unlike `hold` it promises nothing about the next one."""
        values = {
            "of": lease.key, "by": lease.owner, "number": lease.fence, "own_clock": _clock(connection),
            "now": time.monotonic_ns() // 1_000_000,
        }  # fmt: skip
        return self._lasts[connection.dialect.name].first(connection, values) is not None

    def release(self, connection: sa.Connection, lease: Lease) -> bool:
        """Give a lease back, so that another may claim it at once; False where it was lost already."""
        released = sa.update(self._table).where(*self._is_mine(lease)).values(owner=_NONE)
        return _changed(connection, released, lease.ttl, self._table.c.fence) is not None

    def lapsed(self, connection: sa.Connection, prefix: str = "", *, everyone: bool = False) -> list[str]:
        """Return the keys whose owner let its lease lapse; with `everyone` all owned ones: no owner can be alive."""
        c = self._table.c
        over = sa.true() if everyone else self._has_lapsed(connection)
        found = sa.select(c.key).where(c.key.startswith(prefix, autoescape=True), c.owner != _NONE, over)
        return list(connection.execute(found.order_by(c.key)).scalars())

    def owner(self, connection: sa.Connection, key: str) -> str | None:
        """Return the owner of a piece of work, lapsed or not; None where there is none."""
        c = self._table.c
        return connection.execute(sa.select(c.owner).where(c.key == key, c.owner != _NONE)).scalar()

    def any_owned(self, connection: sa.Connection, prefix: str = "") -> bool:
        """Return whether any key that begins with `prefix` has an owner, lapsed or not."""
        c = self._table.c
        found = sa.select(c.key).where(c.key.startswith(prefix, autoescape=True), c.owner != _NONE)
        return connection.execute(found.limit(1)).first() is not None

    def forget(self, connection: sa.Connection, *keys: str) -> None:
        """Delete the leases of work that is over. A key that is claimed again begins with the fence 1."""
        connection.execute(sa.delete(self._table).where(self._table.c.key.in_(keys)))

    def _has_lapsed(self, connection: sa.Connection) -> sa.ColumnElement[bool]:
        c = self._table.c
        return sa.or_(c.clock != _clock(connection), c.until < _now(connection))

    def _is_mine(self, lease: Lease) -> tuple[sa.ColumnElement[bool], ...]:
        c = self._table.c
        return c.key == lease.key, c.owner == lease.owner, c.fence == lease.fence

    def _is_held(self, connection: sa.Connection, lease: Lease) -> tuple[sa.ColumnElement[bool], ...]:
        return *self._is_mine(lease), sa.not_(self._has_lapsed(connection))


def _changed(connection: sa.Connection, change: Any, ttl: float, column: sa.Column[int]) -> int | None:
    """Change a lease and return its column; None where it was not changed.

    `ttl` bounds the time between two statements of the transaction from here on.
    """
    if connection.dialect.name != "postgresql":
        return connection.execute(change.returning(column)).scalar()
    limit = sa.func.set_config("idle_in_transaction_session_timeout", str(max(int(ttl * 1000), 1)), True)
    found = connection.execute(change.returning(column, limit)).first()
    return None if found is None else int(found[0])


def server_ms(connection: sa.Connection) -> int:
    """Return the time of a PostgreSQL server in milliseconds since the epoch: the clock of its leases."""
    return int(connection.execute(sa.select(_SERVER_NOW)).scalar_one())


def _now(connection: sa.Connection) -> sa.ColumnElement[int]:
    """Return the time in milliseconds, of the clock that all processes of the database share."""
    if connection.dialect.name == "postgresql":
        return _SERVER_NOW
    return sa.literal(time.monotonic_ns() // 1_000_000, sa.BigInteger())


def _after(now: sa.ColumnElement[int], ttl: float) -> sa.ColumnElement[int]:
    return now + sa.literal(int(ttl * 1000), sa.BigInteger())


def _clock(connection: Connection) -> str:
    """Return the name of the clock of `_now`."""
    return _SERVER if connection.dialect.name == "postgresql" else _BOOT.read_text(encoding="ascii").strip()


def _table(metadata: sa.MetaData) -> sa.Table:
    return sa.Table(
        "leases",
        metadata,
        sa.Column("key", sa.String(255), primary_key=True),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("clock", sa.String(64), nullable=False),
    )


def create_table(op: Operations) -> None:
    """Create the table in a migration."""
    _table(sa.MetaData()).create(op.get_bind())


def drop_table(op: Operations) -> None:
    """Undo `create_table`."""
    _table(sa.MetaData()).drop(op.get_bind())
