"""Store resource monitors."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from mft_common.database import advisory_lock
from mqmft_svc.domain.monitors import Monitor, key_of
from mqmft_svc.store.managed import each_file
from mqmft_svc.store.tables import WATCHES, managed, monitor, transfer

_C: Final = monitor.c
_UNDER_WAY: Final = ("queued", "running")
# What ends so has given its messages back.
_FAILED: Final = ("failed", "cancelled", "deleted")
# Makes a monitor of its document, the account of its creator and its number.
Read = Callable[[Mapping[str, Any], str, int], Monitor]


@dataclass(frozen=True)
class LastTransfer:
    """The transfer that a monitor has begun last; `id` is None for none. It has failed where an item of it has."""

    id: str | None = None
    is_under_way: bool = False
    has_failed: bool = False


def insert(connection: sa.Connection, new: Monitor, now: int) -> int | None:
    """Store a new monitor, which is looked at from the commit on; return its number, None where its name is in use."""
    insert_into: Any = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    document = json.dumps(new.document, sort_keys=True)
    row = {"name": new.name, "agent": new.agent, "document": document, "account": new.account, "created_at": now}
    added = insert_into(monitor).values(**row).on_conflict_do_nothing(index_elements=["name", "agent"])
    number = connection.execute(added.returning(_C.number)).scalar()
    if number is not None:
        WATCHES.define(connection, key_of(number), document)
    return number


def count(connection: sa.Connection) -> int:
    """Return how many monitors there are; one transaction at a time that creates one counts them."""
    advisory_lock(connection, "mqmft-svc monitors")
    return connection.execute(sa.select(sa.func.count()).select_from(monitor)).scalar_one()


def apply(connection: sa.Connection, monitors: Iterable[Monitor], now: int) -> None:
    """Keep the monitors of a configuration: one that stays remembers what it has seen, one that is gone is deleted.

    Of a name that a request has used before, the configuration's definition is in force.
    """
    kept = set()
    for one in monitors:
        insert(connection, one, now)
        row = connection.execute(sa.select(monitor).where(_C.name == one.name, _C.agent == one.agent)).one()
        kept.add(row.number)
        document = json.dumps(one.document, sort_keys=True)
        values = {"document": document, "account": one.account, "configured": True}
        connection.execute(sa.update(monitor).where(_C.number == row.number).values(**values))
        WATCHES.define(connection, key_of(row.number), document)
    former = connection.execute(sa.select(_C.number).where(_C.configured, _C.number.not_in(kept))).scalars().all()
    WATCHES.remove(connection, *map(key_of, former))
    connection.execute(sa.delete(monitor).where(_C.number.in_(former)))


def fetch(connection: sa.Connection, read: Read, name: str | None = None) -> Sequence[Monitor]:
    """Return the monitors by name and agent, or those of one name."""
    found = sa.select(monitor).order_by(_C.name, _C.agent)
    rows = connection.execute(found if name is None else found.where(_C.name == name))
    return [read(json.loads(row.document), row.account, row.number) for row in rows]


def note_transfer(connection: sa.Connection, known: Monitor, id_: str) -> None:
    """Note the transfer that a monitor has begun last, and that was not refused."""
    connection.execute(sa.update(monitor).where(_C.number == known.number).values(last_transfer=id_))


def last_transfer(connection: sa.Connection, key: str) -> LastTransfer:
    """Return the transfer that the monitor of a key has begun last.

    Its files tell at once whether it has failed; the record, which events make, may have its end much later, and alone
    has it once the files were purged.
    """
    number = int(key.rpartition("/")[2])
    joined = monitor.outerjoin(managed, managed.c.id == _C.last_transfer)
    joined = joined.outerjoin(transfer, transfer.c.id == _C.last_transfer)
    columns = (_C.last_transfer, managed.c.status, transfer.c.state, transfer.c.failures)
    row = connection.execute(sa.select(*columns).select_from(joined).where(_C.number == number)).one_or_none()
    if row is None:
        return LastTransfer()
    id_, status, state, failures = row
    has_failed = bool(failures) or state in _FAILED
    if status == "over":
        arrived = [one.arrived for one in each_file(connection, id_)]
        has_failed = not arrived or not all(arrived)
    return LastTransfer(id_, is_under_way=status in _UNDER_WAY, has_failed=has_failed)


def is_configured(connection: sa.Connection, known: Monitor) -> bool:
    """Return whether crossdock.yaml declares a monitor; it stays so until the end of the transaction."""
    found = sa.select(_C.configured).where(_C.number == known.number).with_for_update()
    return bool(connection.execute(found).scalar())


def delete(connection: sa.Connection, gone: Monitor) -> None:
    """Delete a monitor with all that it remembers; nothing that it has found begins a transfer after the commit."""
    WATCHES.remove(connection, gone.key)
    connection.execute(sa.delete(monitor).where(_C.number == gone.number))


def forget(connection: sa.Connection, known: Monitor) -> None:
    """Forget what a monitor has seen."""
    WATCHES.forget(connection, known.key)
