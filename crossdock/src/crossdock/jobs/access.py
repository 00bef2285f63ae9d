"""Reach the transactions and jobs in the database of diplomat-svc, as an operator with all rights."""

import getpass
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from crossdock import databases
from crossdock.errors import Refused
from diplomat_svc.domain.jobs import FileRecord, Job
from diplomat_svc.domain.names import known_variables, pack_label
from diplomat_svc.domain.states import CANCELLED, COMPLETE, TERMINATED
from diplomat_svc.domain.transactions import Options, Transaction
from diplomat_svc.errors import BadRequest
from diplomat_svc.operations.job_writer import JobWriter
from diplomat_svc.operations.scheduling import Scheduler
from diplomat_svc.operations.stopping import stop_job
from diplomat_svc.schemas.requests import RunNow
from diplomat_svc.store import change_clock, files, jobs, requested_jobs, statuses, transactions
from diplomat_svc.store.tables import APPLIED, JOB_LOG, SERVICE
from mft_common import clock
from mft_common.database import Database
from mft_common.identity import Identity
from mft_common.ids import TransferIds, new_request_id
from mft_common.joblog import Record
from mft_common.settings import lookup

_ACCOUNT: Final = "system"
_DATABASE: Final = "DIPLOMAT_DATABASE_URL"


@contextmanager
def opened(data: Path, environ: Mapping[str, str]) -> Iterator["Access"]:
    """Open the database of the hub on a data folder, or the one that the environment names; CannotStart."""
    prefix = lookup("MFT_TRANSFER_ID_PREFIX", environ) or "AMQ QM1"
    with databases.opened(SERVICE, _DATABASE, data, environ) as database:
        yield Access(database, JobWriter(database, clock.now_ms, socket.gethostname()), TransferIds(prefix))


@dataclass(frozen=True)
class Listed:
    """A configured transaction and its most recent job, if there ever was one."""

    id: int
    name: str
    direction: str
    state: str
    job: Job | None


@dataclass(frozen=True)
class Access:
    """The transactions and jobs of one hub; Refused says why something cannot be done."""

    database: Database
    writer: JobWriter
    transfer_ids: TransferIds

    def transactions(self) -> tuple[Listed, ...]:
        """Return the configured transactions by id, each with its most recent job."""
        with self.database.read() as connection:
            return tuple(
                Listed(
                    one.id, one.name, one.direction, one.state,
                    None if one.job is None else jobs.load(connection, one.job.sequence),
                )
                for one in statuses.read(connection, None).changed
            )  # fmt: skip

    def transaction(self, name: str) -> tuple[int, Transaction]:
        """Return id and definition of a transaction by its name, or by its id where no name is equal."""
        with self.database.read() as connection:
            stored = transactions.find(connection, name=name)
            if stored is None and name.isdecimal():
                stored = transactions.find(connection, number=int(name[:18]))
        if stored is None:
            raise Refused(f"there is no transaction {name}")
        return stored.id, stored.definition

    def run(self, name: str, variables: Mapping[str, str], delay: float = 0.0) -> Job:
        """Schedule a job, also of a transaction that the API may not run; it is on disk when this returns.

        With `delay`, in seconds, it is delayed for so long before it is queued. A variable that the transaction neither
        uses nor has a default value for is refused, which the API accepts: here it is a mistyped name.
        """
        number, definition = self.transaction(name)
        known = known_variables(definition)
        unknown = [one for one in variables if one not in known]
        if unknown:
            names = f"its variables are {', '.join(sorted(known))}" if known else "it has none"
            raise Refused(f"transaction {definition.name} has no variable {', '.join(unknown)}: {names}")
        with self.database.read() as connection:
            limit = _queue_limit(connection)
        label = pack_label("crossdock", getpass.getuser())
        caller = Identity(request_id=new_request_id(), account=_ACCOUNT, grant={}, label=label)
        try:
            scheduler = Scheduler(self.writer, self.transfer_ids, limit)
            request = RunNow(number=number, name=None, variables=variables)
            return scheduler.schedule(request, caller, by_api=False, delay=delay)
        except BadRequest as error:
            raise Refused(str(error)) from error

    def jobs(self, name: str | None, *, unfinished: bool, most: int) -> Sequence[Job]:
        """Return jobs, the newest first; those of one transaction, removed ones included, or of all."""
        with self.database.read() as connection:
            ids = None
            if name is not None:
                ids = [one.id for one in requested_jobs.named(connection, name=name)]
                if not ids:
                    raise Refused(f"there is no transaction {name}")
            return requested_jobs.recent(connection, ids=ids, unfinished=unfinished, most=most)

    def job(self, sequence: int) -> tuple[Job, Sequence[FileRecord]]:
        """Return a job with its files."""
        with self.database.read() as connection:
            return _found(connection, sequence), files.of_job(connection, sequence)

    def log(self, sequence: int) -> Iterator[Record]:
        """Yield the records of a job's log, the oldest first."""
        with self.database.read() as connection:
            _found(connection, sequence)
        yield from JOB_LOG.each(self.database, str(sequence))

    def stop(self, sequence: int, *, now: bool) -> None:
        """Ask for the end of a job: between two blocks, or with `now` by a kill of its process."""
        with self.database.write() as connection:
            stamp = change_clock.advance(connection, self.writer.clock())
            job = _found(connection, sequence)
            if job.status == COMPLETE:
                raise Refused(f"job {job.token} is over: {job.completion}")
            label = f"crossdock/{getpass.getuser()}"
            stop_job(self.writer, connection, job, TERMINATED if now else CANCELLED, label=label, stamp=stamp)


def _found(connection: sa.Connection, sequence: int) -> Job:
    job = requested_jobs.find(connection, sequence)
    if job is None:
        raise Refused(f"there is no job {sequence}")
    return job


def _queue_limit(connection: sa.Connection) -> int:
    """Return the limit of the configuration that is in force (A32)."""
    _, document, _ = APPLIED.fetch(connection)
    given = ((document.get("diplomat") or {}).get("jobs") or {}).get("queue_limit")
    return Options().queue_limit if given is None else int(given)
