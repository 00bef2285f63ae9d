"""Run managed transfers at the times of their schedules, each occurrence once (174-176, 4.G)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from mft_common import logs
from mft_common.clock import Clock
from mft_common.database import Database
from mft_common.ids import new_request_id
from mft_common.schedules import Firing, TimerService, time_zone
from mqmft_svc.domain.agents import Agent
from mqmft_svc.domain.managed import Managed, Schedule
from mqmft_svc.domain.schedules import Plan, plan, shown
from mqmft_svc.domain.submissions import Submission
from mqmft_svc.errors import TooManySchedules
from mqmft_svc.operations.accepting import Acceptor, Refusal
from mqmft_svc.operations.creators import Creators
from mqmft_svc.operations.managed import transfer_events
from mqmft_svc.store import managed as transfers
from mqmft_svc.store import schedules as store
from mqmft_svc.store.tables import TIMERS

_FOR: Final = "Scheduled for {time}."
_REMOVED: Final = "Its schedule was removed."


class Scheduling:
    """The schedules of managed transfers, `most` at once; `zone` reads the name of the hub's own time zone.

    `creators` are the accounts that have made them; only a worker, which fires them, needs these.

    What a worker does at a time commits together with the timer's next time, so that no occurrence is lost or doubled.
    """

    def __init__(
        self,
        database: Database,
        acceptor: Acceptor,
        zone: Callable[[sa.Connection], str],
        *,
        most: int,
        now: Clock,
        creators: Creators | None = None,
    ) -> None:
        self._database = database
        self._acceptor = acceptor
        self._zone = zone
        self._most = most
        self._creators = creators
        self._now = now

    def timers(self) -> TimerService:
        """Return what a worker runs to keep the times."""
        return TimerService(self._database, TIMERS, self.fire, now=self._now, prepare=store.lock)

    def plan(self, connection: sa.Connection, submission: Submission, source: Agent, now: int) -> Plan | None:
        """Return the times of a request, None for one that runs at once; BodyInvalid where they have passed."""
        wanted = submission.schedule
        if wanted is None:
            return None
        if wanted.time_base == "utc":
            zone = "UTC"
        else:
            zone = source.timezone if wanted.time_base == "source" else self._zone(connection)
        return plan(wanted, time_zone(zone), now)

    def require_room(self, connection: sa.Connection) -> None:
        """Raise TooManySchedules where there is no room for one more before this transaction ends.

        It comes before the transaction writes anything: a worker that fires a timer holds the lock when it writes.
        """
        store.lock(connection)
        if store.count(connection) >= self._most:
            raise TooManySchedules(most=self._most)

    def add(self, connection: sa.Connection, transfer: Managed, plan: Plan) -> None:
        """Store the schedule of a transfer that was stored as one that waits for its time."""
        made = Schedule(
            id=transfer.id, submission=transfer.submission, zone=plan.zone.key, account=transfer.account,
            made_at=transfer.submitted_at,
        )  # fmt: skip
        store.insert(connection, made, plan, transfer.submitted_at)

    def fire(self, connection: sa.Connection, firing: Firing) -> None:
        """Let the transfer of a due time begin: the one that waits for it, or else a new one.

        It ends as `notAuthorized` where its account is gone or has lost the role. Unavailable where the gateway is
        away: the timer is tried again then.
        """
        schedule = store.find(connection, firing.key.removeprefix(store.PREFIX))
        if schedule is None:
            return
        reason = self._creators.refusal(schedule.account) if self._creators is not None else ""
        refusal = Refusal("notAuthorized", reason) if reason else None
        with logs.request_scope(new_request_id()):
            first = transfers.find(connection, schedule.id, lock=True)
            if first is not None and first.status == "scheduled":
                self._acceptor.release(connection, first, refusal)
                started = first.id
            else:
                submission = replace(schedule.submission, schedule=None)
                again = self._acceptor.new(submission, schedule.account)
                waited_for = description(firing.due_at, time_zone(schedule.zone))
                self._acceptor.add_later(connection, again, waited_for, refusal)
                started = again.id
            logs.get("schedules").info("schedule.fired", schedule=schedule.id, transfer=started)
        store.count_run(connection, schedule.id, started)

    def delete(self, id_: str) -> bool:
        """Remove a schedule: no further transfer of it runs, one that waits for its time is over; False without one."""
        with self._database.write() as connection:
            store.lock(connection)
            if store.find(connection, id_) is None:
                return False
            store.delete(connection, id_)
            waiting = transfers.find(connection, id_, lock=True)
            if waiting is not None and waiting.status == "scheduled":
                now = self._now()
                transfers.end(connection, waiting, now, stop="deleted")
                self._acceptor.record(connection, transfer_events.ended(waiting, (), "deleted", now, _REMOVED))
        logs.get("schedules").info("schedule.deleted", schedule=id_)
        return True


def description(at: int, zone: ZoneInfo) -> str:
    """Return what the record says of a transfer that waits for its time, or has waited for it."""
    return _FOR.format(time=shown(at, zone))
