"""Store which worker makes the next call of a managed transfer: one whose `receiver` is not empty (234)."""

from typing import Final

import sqlalchemy as sa

from mft_common.database import advisory_lock
from mft_common.database.statements import Connection, Statement
from mqmft_svc.domain.managed import Managed
from mqmft_svc.store import managed as transfers
from mqmft_svc.store.tables import WORKERS, managed

_C: Final = managed.c
# What has begun goes on to its end, also where an agent was stopped meanwhile.
_MAY_BEGIN: Final = (
    _C.status == "queued",
    _C.receiver != "",
    _C.due_at <= sa.bindparam("now", type_=sa.BigInteger),
    sa.or_(_C.began_at.is_not(None), sa.and_(*transfers.NOT_STOPPED)),
)
_ANY_DUE: Final = Statement(sa.select(_C.id).where(*_MAY_BEGIN).limit(1))


def any_due(connection: Connection, now: int) -> bool:
    """Return whether a transfer waits for a call."""
    return _ANY_DUE.first(connection, {"now": now}) is not None


def take(connection: sa.Connection, owner: str, now: int, most_each: int) -> Managed | None:
    """Give the transfer whose call is due first to a worker; None where there is none.

    One whose receiver answers `most_each` transfers already is passed over: a receiver that is silent holds up no
    other. One worker at a time counts them.
    """
    advisory_lock(connection, "mqmft-svc transfer calls")
    running = sa.select(_C.receiver).where(_C.status == "running", _C.receiver != "").group_by(_C.receiver)
    full = list(connection.execute(running.having(sa.func.count() >= most_each)).scalars())
    found = sa.select(_C.id).where(*_MAY_BEGIN, _C.receiver.not_in(full))
    order = (_C.priority.desc(), _C.due_at, _C.queued_at, _C.id)
    id_ = connection.execute(found.order_by(*order).limit(1), {"now": now}).scalar()
    if id_ is None or not transfers.give(connection, id_, owner, now):
        return None
    return transfers.find(connection, id_)


def owners(connection: sa.Connection) -> dict[str, str]:
    """Return the workers of the calls that are being made, by the ids of the transfers.

    A worker of a former version makes them as that of the transfer.
    """
    found = connection.execute(sa.select(_C.id, _C.owner).where(_C.status == "running", _C.receiver != "")).all()
    of_transfers = WORKERS.find_alive(connection) if found else set()
    return {row.id: row.owner for row in found if row.owner not in of_transfers}
