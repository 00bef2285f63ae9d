"""Store the calls that were asked for by themselves, and which worker has which of them."""

import json
from dataclasses import fields
from typing import Any, Final

import sqlalchemy as sa

from mft_common.database import advisory_lock
from mft_common.database.leases import LeaseLost
from mft_common.database.statements import Connection, Statement
from mqmft_svc.domain.calls import CallRequest
from mqmft_svc.domain.managed_calls import ManagedCall
from mqmft_svc.store import keyset
from mqmft_svc.store.tables import managed_call

_C: Final = managed_call.c
_JSON: Final = ("user_properties", "request")
_NAMES: Final = tuple(one.name for one in fields(ManagedCall))
# A list of the default attributes reads no text that may be long.
_LONG: Final = (*_JSON, "answer")
_BRIEF: Final = tuple(name for name in _NAMES if name not in _LONG)
_FORGOTTEN: Final = ""
_ANY_DUE: Final = Statement(
    sa.select(_C.id).where(_C.phase == "queued", _C.due_at <= sa.bindparam("now", type_=sa.BigInteger)).limit(1)
)


def insert(connection: sa.Connection, call: ManagedCall) -> None:
    """Store a new call."""
    values = {name: getattr(call, name) for name in _NAMES if name not in ("arrival", *_JSON)}
    request = _FORGOTTEN if call.request is None else json.dumps(call.request.to_json())
    properties = json.dumps(dict(call.user_properties), ensure_ascii=False)
    connection.execute(sa.insert(managed_call).values(**values, request=request, user_properties=properties))


def find(connection: sa.Connection, id_: str) -> ManagedCall | None:
    """Return one call."""
    row = connection.execute(sa.select(managed_call).where(_C.id == id_)).one_or_none()
    return None if row is None else _call(row)


def newest(
    connection: sa.Connection,
    limit: int,
    *,
    after: ManagedCall | None = None,
    before: ManagedCall | None = None,
    brief: bool = True,
) -> list[ManagedCall]:
    """Return at most `limit` calls, newest first; with `after` or `before` those nearest to that one.

    A `brief` one lacks its properties and its answer.
    """
    names = _BRIEF if brief else tuple(name for name in _NAMES if name != "request")
    query = sa.select(*(_C[name] for name in names)).limit(limit)
    marks = {name: None if one is None else _place(one) for name, one in (("after", after), ("before", before))}
    return [_call(row) for row in keyset.newest(connection, query, (_C.started_at, _C.arrival), **marks)]


def _place(call: ManagedCall) -> tuple[int, int]:
    return call.started_at, call.arrival


def _call(row: Any) -> ManagedCall:
    values = dict(row._mapping)  # noqa: SLF001 -- SQLAlchemy's documented way to a row's names
    request = values.pop("request", _FORGOTTEN)
    if "user_properties" in values:
        values["user_properties"] = json.loads(values["user_properties"])
    return ManagedCall(**values, request=CallRequest.from_json(json.loads(request)) if request else None)


def any_due(connection: Connection, now: int) -> bool:
    """Return whether a call waits for a worker."""
    return _ANY_DUE.first(connection, {"now": now}) is not None


def take(connection: sa.Connection, owner: str, now: int, most_each: int) -> ManagedCall | None:
    """Give the call that is due first to a worker; None where there is none.

    One whose receiver has `most_each` calls that run already is passed over: a receiver that is silent holds up no
    other. One worker at a time counts them.
    """
    advisory_lock(connection, "mqmft-svc calls")
    running = sa.select(_C.name).where(_C.phase == "running").group_by(_C.name).having(sa.func.count() >= most_each)
    full = list(connection.execute(running).scalars())
    due = sa.select(_C.arrival).where(_C.phase == "queued", _C.due_at <= now, _C.name.not_in(full))
    arrival = connection.execute(due.order_by(_C.due_at, _C.arrival).limit(1)).scalar()
    if arrival is None:
        return None
    values = {"phase": "running", "owner": owner, "fence": _C.fence + 1, "state": "inProgress", "updated_at": now}
    connection.execute(sa.update(managed_call).where(_C.arrival == arrival).values(**values))
    return _call(connection.execute(sa.select(managed_call).where(_C.arrival == arrival)).one())


def change(connection: sa.Connection, call: ManagedCall, **values: Any) -> None:
    """Change columns of a call that its owner runs; LeaseLost where it is no longer that worker's.

    A call that is over forgets what was sent.
    """
    if values.get("phase") == "over":
        values["request"] = _FORGOTTEN
    mine = (_C.arrival == call.arrival, _C.phase == "running", _C.owner == call.owner, _C.fence == call.fence)
    if connection.execute(sa.update(managed_call).where(*mine).values(**values)).rowcount != 1:
        raise LeaseLost(f"{call.id}: the call is another worker's, or over")


def running(connection: sa.Connection) -> list[ManagedCall]:
    """Return the calls that a worker runs."""
    query = sa.select(*(_C[name] for name in _BRIEF)).where(_C.phase == "running")
    return [_call(row) for row in connection.execute(query)]


def delete_older(connection: sa.Connection, before: int, limit: int) -> int:
    """Delete at most `limit` of the calls that were over before `before` (ms); return how many."""
    # A call that is over is due no more: its time there is that of its end, which an index has.
    old = sa.select(_C.arrival).where(_C.phase == "over", _C.due_at < before)
    chosen = old.order_by(_C.due_at).limit(limit).scalar_subquery()
    return connection.execute(sa.delete(managed_call).where(_C.arrival.in_(chosen))).rowcount
