"""Keep watches and timers in step with the tasks that may run (75, 76, 82 to 86).

Every function works in the transaction of the change that calls for it, after the rows of the tasks were changed or
locked. Two transactions never wait for each other: rows of tasks come first, then those of their failed files, of
watches and of timers, and last the requests to scan folders. So a transaction calls one function that changes watches.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

import sqlalchemy as sa

from sertainty_svc.domain.agent import Agent, AgentStatus
from sertainty_svc.domain.places import source_of
from sertainty_svc.domain.schedules import times_of
from sertainty_svc.domain.stored_tasks import StoredTask, may_run
from sertainty_svc.domain.tasks import TaskDefinition, TaskType
from sertainty_svc.store import agent as agents
from sertainty_svc.store import failed_files, tasks, turns
from sertainty_svc.store.tables import TIMERS, WATCHES

# The begin of `StoredTask.watch` and `StoredTask.timer`; an id follows.
_PREFIX: Final = "task/"


def sync(connection: sa.Connection, now: int, *, reset: Sequence[StoredTask] = ()) -> None:
    """Bring watches and timers to the tasks that may run; called at each change of the agent, the choice, or tasks.

    Tasks that wait after a fault of their own try again at once (86).

    Watches keep their memory while their task exists, also while it may not run. A definition that differs from the one
    before lets the task's failed files be taken again, and so does the reset of a task, of which `reset` has some as
    they were before (83). The timer of an interval begins anew where its task was not runnable before, or the agent was
    started anew (72, 85).
    """
    agent = agents.find(connection)
    found = runnable(connection, agent)
    known = WATCHES.definitions(connection, _PREFIX)
    tasks_of = {one.watch: one for one in found if one.definition.type is TaskType.CHANGE}
    wanted = {key: _digest_of(one.definition) for key, one in tasks_of.items()}
    changed = [one for key, one in tasks_of.items() if known.get(key, wanted[key]) != wanted[key]]
    waiting = [*_retry(connection, found), *(one.definition for one in reset if one.retry_at is not None)]
    failed = _take_failures(connection, [*changed, *reset])
    WATCHES.define_all(connection, wanted)
    _forget(connection, failed)
    there = turns.existing(connection, [int(key.removeprefix(_PREFIX)) for key in known])
    if gone := [key for key in known if int(key.removeprefix(_PREFIX)) not in there]:
        WATCHES.remove(connection, *gone)
    WATCHES.reread(connection)
    _sync_timers(connection, agent, [one for one in found if one.definition.type is TaskType.TIME], now)
    wake(connection, *waiting)


def runnable(connection: sa.Connection, agent: Agent) -> list[StoredTask]:
    """Return the tasks of the active configuration that may run while a worker is alive (70, 71, 75, 82)."""
    status = agent.status(agent.beat_at)
    if agent.active is None or status is not AgentStatus.ACTIVE:
        return []
    return [one for one in tasks.of_configuration(connection, agent.active) if may_run(one, status, active=True)]


def watched(connection: sa.Connection) -> list[StoredTask]:
    """Return the Change tasks that may run: their source folders are watched."""
    found = runnable(connection, agents.find(connection))
    return [one for one in found if one.definition.type is TaskType.CHANGE]


def retry_faults(connection: sa.Connection) -> None:
    """Let tasks that wait after a fault of their own try again at once: an ID or a script was saved (78, 86)."""
    active = agents.find(connection).active
    if active is not None:
        wake(connection, *_retry(connection, turns.after_faults(connection, active)))


def wake(connection: sa.Connection, *definitions: TaskDefinition) -> None:
    """Let the sources of Change tasks be scanned soon: an execution has ended, or tasks may try again."""
    WATCHES.wake(connection, *(source_of(one) for one in definitions if one.type is TaskType.CHANGE))


def _retry(connection: sa.Connection, found: Iterable[StoredTask]) -> list[TaskDefinition]:
    """Let tasks try again that wait after a fault of their own; return the definitions of those to be woken.

    An execution that runs may not have seen what was saved: where it ends by the same fault, the wait is the shortest.
    """
    waiting = [one for one in found if one.retry_at is not None or (one.running and one.faults)]
    for one in waiting:
        values = {"faults": 0} if one.running else {}
        tasks.update(connection, one.id, retry_at=None, **values)
    return [one.definition for one in waiting]


def _take_failures(connection: sa.Connection, of: Collection[StoredTask]) -> Mapping[str, Collection[bytes]]:
    """Forget the failed files of tasks, and their own faults; return the names by the watches that remember them."""
    for one in of:
        if one.faults or one.retry_at is not None:
            tasks.update(connection, one.id, faults=0, retry_at=None)
    names, watches = failed_files.take(connection, {one.id for one in of}), {one.id: one.watch for one in of}
    return {watches[id_]: of_task for id_, of_task in names.items()}


def _forget(connection: sa.Connection, names: Mapping[str, Collection[bytes]]) -> None:
    for watch, of_task in names.items():
        WATCHES.forget_names(connection, watch, of_task)


def _sync_timers(connection: sa.Connection, agent: Agent, found: Iterable[StoredTask], now: int) -> None:
    known = TIMERS.payloads(connection, _PREFIX)
    changed = {}
    for one in found:
        schedule = one.definition.schedule
        payload = _digest_of((agent.epoch, schedule))
        if known.get(one.timer) == payload:
            del known[one.timer]
        elif (times := times_of(schedule, now)) is not None:
            known.pop(one.timer, None)
            changed[one.timer] = times, payload
    TIMERS.set_all(connection, changed, now, misfire="skip")
    if known:
        TIMERS.remove(connection, *known)


def _digest_of(values: object) -> str:
    """Return a digest of plain data and dataclasses of it, whose representation says all that they hold."""
    return hashlib.blake2b(repr(values).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
