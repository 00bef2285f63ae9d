"""Store managed transfers, their files, and which worker has which of them."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from mft_common.database import advisory_lock
from mft_common.database.leases import LeaseLost
from mft_common.database.statements import Connection, Statement
from mqmft_svc.domain.calls import CallState
from mqmft_svc.domain.managed import Managed
from mqmft_svc.domain.managed_files import ManagedFile
from mqmft_svc.domain.submissions import Submission
from mqmft_svc.store import managed_queues
from mqmft_svc.store.tables import agent, managed, managed_file, submission_key, sweeps

_C: Final = managed.c
_F: Final = managed_file.c
_K: Final = submission_key.c
_PLAIN: Final = (
    *("id", "account", "host", "request_id", "submitted_at", "queued_at", "status", "due_at", "began_at", "ended_at"),
    *("recovering_since", "retries", "stop", "owner", "fence", "caused_by", "receiver"),
)
_STOPPED: Final = sa.select(agent.c.name).where(agent.c.stopped_at.is_not(None))
NOT_STOPPED: Final = (_C.source_agent.not_in(_STOPPED), _C.destination_agent.not_in(_STOPPED))
_MAY_BEGIN: Final = (
    _C.status == "queued",
    _C.receiver == "",
    _C.due_at <= sa.bindparam("now", type_=sa.BigInteger),
    *NOT_STOPPED,
)
_MOVES: Final = (_C.status == "running", _C.receiver == "")
_PAGE: Final = 200
_ANY_DUE: Final = Statement(sa.select(_C.id).where(*_MAY_BEGIN).limit(1))


def lock_queue(connection: sa.Connection) -> None:
    """Let one worker at a time take transfers: each counts the running ones of the agents."""
    advisory_lock(connection, "mqmft-svc managed queue")


def lock_keys(connection: sa.Connection, account: str) -> None:
    """Let one request of an account at a time look for its key and store it."""
    advisory_lock(connection, f"mqmft-svc keys of {account}")


def insert(connection: sa.Connection, transfer: Managed) -> None:
    """Store a new transfer."""
    submission = transfer.submission
    values = {name: getattr(transfer, name) for name in _PLAIN}
    connection.execute(
        sa.insert(managed).values(
            **values,
            submission=json.dumps(submission.to_json()),
            calls=calls_json(transfer),
            source_agent=submission.source_agent.name,
            destination_agent=submission.destination_agent.name,
            priority=submission.priority,
        )
    )
    managed_queues.insert(connection, transfer)


def find(connection: sa.Connection, id_: str, *, lock: bool = False) -> Managed | None:
    """Return a transfer; with `lock` nobody else changes it before the end of this transaction."""
    found = sa.select(managed).where(_C.id == id_)
    row = connection.execute(found.with_for_update() if lock else found).one_or_none()
    return None if row is None else _managed(row)


def _managed(row: Any) -> Managed:
    plain = {name: getattr(row, name) for name in _PLAIN}
    calls = {name: CallState.from_json(state) for name, state in json.loads(row.calls).items()}
    return Managed(submission=Submission.from_json(json.loads(row.submission)), calls=calls, **plain)


def update(connection: sa.Connection, id_: str, **values: Any) -> None:
    """Change columns of a transfer."""
    connection.execute(sa.update(managed).where(_C.id == id_).values(**values))


def calls_json(transfer: Managed) -> str:
    """Return how the calls of a transfer went so far, as its column has it."""
    return json.dumps({name: one.to_json() for name, one in transfer.calls.items()})


def end(connection: sa.Connection, transfer: Managed, at: int, **values: Any) -> None:
    """End a transfer, and remove its calls: their URLs and headers may hold secrets."""
    if transfer.submission.calls:
        submission = replace(transfer.submission, calls={})
        values = {**values, "submission": json.dumps(submission.to_json()), "calls": "{}"}
    update(connection, transfer.id, status="over", ended_at=at, **values)


def any_due(connection: Connection, now: int) -> bool:
    """Return whether a transfer waits for a worker to move bytes; one of an agent that is stopped waits for that."""
    return _ANY_DUE.first(connection, {"now": now}) is not None


def next_due(
    connection: sa.Connection,
    now: int,
    full_sources: Collection[str],
    full_destinations: Collection[str],
    sharing: Mapping[str, str] = MappingProxyType({}),
) -> str | None:
    """Return the waiting transfer of the highest priority, and then of the greatest age, whose agents have room (220).

    None where there is none. Those of agents that are stopped wait on, and those that take messages from a queue that
    another one has claimed. `sharing` are the agents with the same broker, see `managed_queues.is_free`.
    """
    has_room = (
        _C.source_agent.not_in(full_sources),
        _C.destination_agent.not_in(full_destinations),
        managed_queues.is_free(_C.id, sharing),
    )
    found = sa.select(_C.id).where(*_MAY_BEGIN, *has_room).order_by(_C.priority.desc(), _C.queued_at, _C.id)
    return connection.execute(found.limit(1), {"now": now}).scalar()


def destinations(connection: sa.Connection, ids: Sequence[str]) -> dict[str, str]:
    """Return the destination agents of transfers."""
    found = connection.execute(sa.select(_C.id, _C.destination_agent).where(_C.id.in_(ids)))
    return {row.id: row.destination_agent for row in found}


def ended_before(connection: sa.Connection, id_: str, at: int) -> bool:
    """Return whether a transfer has ended before a time."""
    return connection.execute(sa.select(_C.id).where(_C.id == id_, _C.ended_at < at)).first() is not None


def running_of(connection: sa.Connection) -> tuple[dict[str, int], dict[str, int]]:
    """Return how many transfers run from and to each agent; one that waits for the answer to a call takes no place."""
    sources, destinations = (
        {
            row[0]: row[1]
            for row in connection.execute(sa.select(column, sa.func.count()).where(*_MOVES).group_by(column))
        }
        for column in (_C.source_agent, _C.destination_agent)
    )
    return sources, destinations


def busy_agents(connection: sa.Connection) -> set[str]:
    """Return the agents from or to which a transfer runs."""
    found = connection.execute(sa.select(_C.source_agent, _C.destination_agent).where(_C.status == "running"))
    return {name for row in found for name in row}


def queued_of(connection: sa.Connection, agent: str) -> int:
    """Return how many transfers wait that begin at an agent; one that waits for its next call is none of them."""
    waits = sa.or_(_C.receiver == "", _C.began_at.is_(None))
    mine = sa.select(sa.func.count()).where(_C.status == "queued", _C.source_agent == agent, waits)
    return connection.execute(mine).scalar_one()


def stop_of(connection: sa.Connection, id_: str) -> str:
    """Return how somebody who stops a transfer wants it to end, "" for nobody; none asks before the commit."""
    return connection.execute(sa.select(_C.stop).where(_C.id == id_).with_for_update()).scalar() or ""


def stop_requests(connection: sa.Connection, owner: str) -> dict[str, str]:
    """Return how somebody wants running transfers of a worker to end, by their ids."""
    found = sa.select(_C.id, _C.stop).where(_C.status == "running", _C.owner == owner, _C.stop != "")
    return {row.id: row.stop for row in connection.execute(found)}


def owners(connection: sa.Connection) -> dict[str, str]:
    """Return the workers of the transfers that they move, by the transfers' ids."""
    found = connection.execute(sa.select(_C.id, _C.owner).where(*_MOVES))
    return {row.id: row.owner for row in found}


def take(connection: sa.Connection, id_: str, owner: str, now: int) -> Managed | None:
    """Give a waiting transfer to a worker, who holds the lock of the queue; None where it was stopped meanwhile."""
    if not give(connection, id_, owner, now):
        return None
    managed_queues.claim(connection, id_, claimed=True)
    return find(connection, id_)


def give(connection: sa.Connection, id_: str, owner: str, now: int) -> bool:
    """Make a worker the owner of a waiting transfer; False where that was stopped meanwhile."""
    began_at = sa.func.coalesce(_C.began_at, now)
    values = {"status": "running", "owner": owner, "fence": _C.fence + 1, "began_at": began_at}
    taken = sa.update(managed).where(_C.id == id_, _C.status == "queued").values(**values)
    return connection.execute(taken).rowcount == 1


def hold(connection: sa.Connection, transfer: Managed) -> None:
    """Raise LeaseLost unless a transfer is its owner's; nobody else gets it before this transaction ends."""
    mine = (_C.id == transfer.id, _C.owner == transfer.owner, _C.fence == transfer.fence)
    held = sa.update(managed).where(_C.status == "running", *mine).values(fence=transfer.fence)
    if connection.execute(held).rowcount != 1:
        raise LeaseLost(f"{transfer.id}: the transfer is another worker's, or over")


def put_files(connection: sa.Connection, id_: str, files: Iterable[ManagedFile]) -> None:
    """Store files of a transfer as they are now."""
    rows = [{"transfer": id_, "position": one.position, "data": json.dumps(one.to_json())} for one in files]
    insert_into: Any = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    added = insert_into(managed_file)
    upsert = added.on_conflict_do_update(index_elements=["transfer", "position"], set_={"data": added.excluded.data})
    if rows:
        connection.execute(upsert, rows)


def files_of(connection: sa.Connection, id_: str) -> list[ManagedFile]:
    """Return the files of a transfer in the order of the record."""
    return list(each_file(connection, id_))


def each_file(connection: sa.Connection, id_: str, after: int = -1) -> Iterator[ManagedFile]:
    """Yield the files of a transfer behind a position in the order of the record; some are in memory at a time."""
    behind = sa.select(_F.data).where(_F.transfer == id_, _F.position > sa.bindparam("after", type_=sa.BigInteger))
    page = behind.order_by(_F.position).limit(_PAGE)
    while rows := connection.execute(page, {"after": after}).scalars().all():
        for data in rows:
            file = ManagedFile.from_json(json.loads(data))
            yield file
            after = file.position


def has_files(connection: sa.Connection, id_: str) -> bool:
    """Return whether files of a transfer are known."""
    return connection.execute(sa.select(_F.position).where(_F.transfer == id_).limit(1)).first() is not None


def repeated(connection: sa.Connection, account: str, key: str, since: int, now: int) -> str | None:
    """Return the transfer that an account's request with this key has made after `since`, if any; note the repeat."""
    again = sa.update(submission_key).where(_K.account == account, _K.key == key, _K.at > since)
    return connection.execute(again.values(repeated_at=now).returning(_K.transfer)).scalar()


def was_repeated(connection: sa.Connection, id_: str, since: int) -> bool:
    """Return whether the request that has made a transfer was repeated at `since` or later."""
    found = sa.select(_K.transfer).where(_K.transfer == id_, _K.repeated_at >= since)
    return connection.execute(found.limit(1)).first() is not None


def remember(connection: sa.Connection, account: str, key: str, id_: str, now: int) -> None:
    """Remember which transfer a request has made; a key that is used again after its time is a new one."""
    connection.execute(sa.delete(submission_key).where(_K.account == account, _K.key == key))
    connection.execute(sa.insert(submission_key).values(account=account, key=key, transfer=id_, at=now))


def purge(connection: sa.Connection, before: int, keys_before: int, most: int) -> int:
    """Delete transfers that ended before a time, with their files, and old keys; return how many transfers.

    A transfer whose unfinished files are still to be removed stays.
    """
    connection.execute(sa.delete(submission_key).where(_K.at <= keys_before))
    is_left = sa.exists().where(sweeps.c.transfer == _C.id)
    old = sa.select(_C.id).where(_C.status == "over", _C.ended_at < before, sa.not_(is_left)).limit(most)
    ids: list[str] = list(connection.execute(old).scalars())
    if ids:
        connection.execute(sa.delete(managed_file).where(_F.transfer.in_(ids)))
        managed_queues.purge(connection, ids)
        connection.execute(sa.delete(managed).where(_C.id.in_(ids)))
    return len(ids)
