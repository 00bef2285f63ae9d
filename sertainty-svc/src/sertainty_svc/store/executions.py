"""Store executions of tasks, and which worker has which of them; their files are in `execution_files`."""

import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

import sqlalchemy as sa

from mft_common.database import advisory_lock
from mft_common.database.leases import LeaseLost
from mft_common.database.statements import Connection, Statement
from mft_common.watching import Found
from sertainty_svc.domain.executions import Execution, ExecutionFile
from sertainty_svc.domain.stored_tasks import StoredTask
from sertainty_svc.domain.tasks import TaskDefinition
from sertainty_svc.store import execution_files
from sertainty_svc.store.tables import SWEEPS, execution, execution_file, sweeps, task

_C: Final = execution.c
_PLAIN: Final = (
    *("id", "task_id", "configuration_id", "configuration", "task", "number", "transfer_id", "account", "request_id"),
    *("queued_at", "has_files", "caused_by", "status", "stop", "owner", "fence", "epoch", "attempts", "crashes"),
    *("due_at", "began_at", "ended_at", "files", "errors", "error", "runs", "ran"),
)
_PAGE: Final = 50
_OTHER: Final = execution.alias()
# No other execution of the same task runs, nor of one that had its name before (80).
_IS_FREE: Final = sa.not_(
    sa.exists().where(
        _OTHER.c.status == "running", _OTHER.c.configuration == _C.configuration, _OTHER.c.task == _C.task
    )
)
_NOW: Final = sa.bindparam("now", type_=sa.BigInteger)
# No pause is as long as a minute: a time that is later was written before the clock was set back, and is due.
_IS_DUE: Final = (
    _C.status == "queued", sa.or_(_C.due_at <= _NOW, _C.due_at > _NOW + 60_000), _IS_FREE,
)  # fmt: skip
_ANY_DUE: Final = Statement(sa.select(_C.id).where(*_IS_DUE).limit(1))
_IS_SWEPT: Final = sa.not_(sa.exists().where(sweeps.c.execution == _C.id))


def queue(
    connection: sa.Connection,
    of: StoredTask,
    *,
    transfer_id: str,
    now: int,
    files: Sequence[Found] = (),
    caused_by: str | None = None,
    request_id: str = "",
) -> Execution:
    """Queue an execution of a task: over a batch of files that its watch hands over, or without, as of a Time task.

    The watch remembers the files as handled in the same transaction; those that the execution does not bring to an end
    are forgotten again. `caused_by` is the transfer whose file set it off.
    """
    counted = sa.update(task).where(task.c.id == of.id).values(executions=task.c.executions + 1)
    number = connection.execute(counted.returning(task.c.executions)).scalar_one()
    values = {
        "task_id": of.id,
        "configuration_id": of.configuration_id,
        "configuration": of.configuration,
        "task": of.name,
        "number": number,
        "transfer_id": transfer_id,
        "account": of.account,
        "request_id": request_id,
        "queued_at": now,
        "has_files": bool(files),
        "caused_by": caused_by,
    }
    definition = json.dumps(of.definition.to_json())
    texts = {"status": "queued", "stop": "", "owner": "", "error": "", "definition": definition}
    counts = dict.fromkeys(("fence", "epoch", "attempts", "crashes", "due_at", "files", "errors"), 0)
    id_ = connection.execute(sa.insert(execution).values(**values, **texts, **counts).returning(_C.id)).scalar_one()
    batch = [
        ExecutionFile(position=place, path=one.path, identity=one.identity, size=one.size, modified_at=one.modified_at)
        for place, one in enumerate(files)
    ]
    execution_files.put(connection, id_, batch)
    return Execution(id=id_, definition=of.definition, **values)


def lock_queue(connection: sa.Connection) -> None:
    """Let one worker at a time take executions: one of a task runs at most."""
    advisory_lock(connection, "sertainty-svc executions")


def any_due(connection: Connection, now: int) -> bool:
    """Return whether an execution waits whose task has none that runs; a cheap read."""
    return _ANY_DUE.first(connection, {"now": now}) is not None


def due(connection: sa.Connection, now: int) -> list[Execution]:
    """Return the first executions that wait and whose task has none that runs, in the order of their queue."""
    found = sa.select(execution).where(*_IS_DUE).order_by(_C.id).limit(_PAGE)
    return [_execution(row) for row in connection.execute(found, {"now": now})]


def find(connection: sa.Connection, id_: int) -> Execution | None:
    """Return an execution."""
    row = connection.execute(sa.select(execution).where(_C.id == id_)).one_or_none()
    return None if row is None else _execution(row)


def of_task(connection: sa.Connection, task_id: int) -> Iterator[Execution]:
    """Yield the executions of a task that have begun, the oldest first."""
    found = sa.select(execution).where(_C.task_id == task_id, _C.began_at.is_not(None)).order_by(_C.number)
    yield from map(_execution, connection.execute(found))


def _execution(row: Any) -> Execution:
    plain = {name: getattr(row, name) for name in _PLAIN}
    return Execution(definition=TaskDefinition.from_json(json.loads(row.definition)), **plain)


def update(connection: sa.Connection, id_: int, **values: Any) -> None:
    """Change columns of an execution."""
    connection.execute(sa.update(execution).where(_C.id == id_).values(**values))


def redefine(connection: sa.Connection, id_: int, of: StoredTask) -> None:
    """Let an execution that has not begun be one by the present definition of its task, and of whoever saved that."""
    update(connection, id_, definition=json.dumps(of.definition.to_json()), account=of.account)


def take(connection: sa.Connection, id_: int, owner: str, epoch: int, now: int) -> Execution | None:
    """Make a worker the owner of an execution that waits, under the lock of the queue; None where none is there.

    `epoch` is that of the agent; one that was taken before keeps its own: a shutdown meanwhile ends it.
    """
    values = {
        "status": "running",
        "owner": owner,
        "fence": _C.fence + 1,
        "epoch": sa.case((_C.attempts == 0, epoch), else_=_C.epoch),
        "attempts": _C.attempts + 1,
        "began_at": sa.func.coalesce(_C.began_at, now),
    }
    taken = sa.update(execution).where(_C.id == id_, _C.status == "queued").values(**values)
    return find(connection, id_) if connection.execute(taken).rowcount == 1 else None


def hold(connection: sa.Connection, one: Execution) -> None:
    """Raise LeaseLost unless an execution is its owner's; nobody else gets it before this transaction ends."""
    if connection.execute(sa.update(execution).where(*_is_mine(one)).values(fence=one.fence)).rowcount != 1:
        raise LeaseLost(f"{one.id}: the execution is another worker's, or over")


def is_held(connection: sa.Connection, one: Execution) -> bool:
    """Return whether an execution is its owner's; unlike `hold` this promises nothing about the next moment."""
    return connection.execute(sa.select(_C.id).where(*_is_mine(one))).first() is not None


def _is_mine(one: Execution) -> tuple[sa.ColumnElement[bool], ...]:
    return _C.id == one.id, _C.owner == one.owner, _C.fence == one.fence, _C.status == one.status


def stop_of(connection: sa.Connection, id_: int) -> str:
    """Return the text with which somebody ends an execution at once, "" for nobody; `hold` keeps it so."""
    return connection.execute(sa.select(_C.stop).where(_C.id == id_)).scalar() or ""


def of_owner(connection: sa.Connection, owner: str) -> list[Execution]:
    """Return the running executions of a worker."""
    found = sa.select(execution).where(_C.status == "running", _C.owner == owner)
    return [_execution(row) for row in connection.execute(found)]


def owners(connection: sa.Connection) -> dict[int, str]:
    """Return the workers of the running executions, by the executions' ids."""
    found = connection.execute(sa.select(_C.id, _C.owner).where(_C.status == "running"))
    return {row.id: row.owner for row in found}


def end(
    connection: sa.Connection, one: Execution, now: int, *, files: int, errors: int, error: str, left: bool
) -> None:
    """Store the end of an execution; with `left` a sweep removes its leftovers, else its files are deleted.

    `files` and `errors` count its files and those that failed; `error` is "" for a success.
    """
    values = {"status": "over", "owner": "", "ended_at": now, "files": files, "errors": errors, "error": error}
    update(connection, one.id, **values)
    if left:
        SWEEPS.add(connection, one.id, now)
    else:
        execution_files.remove(connection, one.id)


def withdraw(connection: sa.Connection, one: Execution) -> None:
    """Delete an execution that has not begun, with its files; the next one of its task gets its number.

    The row of the task is locked. Numbers have no gaps: they tell which executions are among the newest.
    """
    execution_files.remove(connection, one.id)
    connection.execute(sa.delete(execution).where(_C.id == one.id))
    newest = sa.update(task).where(task.c.id == one.task_id, task.c.executions == one.number)
    connection.execute(newest.values(executions=one.number - 1))


def forget(connection: sa.Connection, task_ids: Collection[int]) -> None:
    """Remove the executions of tasks that are over from the tasks' logs (83); those to be swept are deleted later."""
    over = (_C.task_id.in_(task_ids), _C.status == "over")
    # No task has a negative id, and no other execution has this one.
    connection.execute(sa.update(execution).where(*over, sa.not_(_IS_SWEPT)).values(task_id=-_C.id))
    connection.execute(sa.delete(execution).where(*over))


def purge(connection: sa.Connection, keep: int, most: int) -> int:
    """Delete executions that are over: those of tasks that are gone, and all but the newest `keep` of each other task.

    One whose leftovers are still to be removed stays. Return how many were deleted, `most` at most.
    """
    newest = sa.select(_C.task_id, sa.func.max(_C.number).label("number")).group_by(_C.task_id).subquery()
    is_old = sa.or_(task.c.id.is_(None), _C.number <= newest.c.number - keep)
    joined = execution.join(newest, newest.c.task_id == _C.task_id).outerjoin(task, task.c.id == _C.task_id)
    old = sa.select(_C.id).select_from(joined).where(_C.status == "over", _IS_SWEPT, is_old).limit(most)
    ids = list(connection.execute(old).scalars())
    if ids:
        connection.execute(sa.delete(execution_file).where(execution_file.c.execution.in_(ids)))
        connection.execute(sa.delete(execution).where(_C.id.in_(ids)))
    return len(ids)
