"""Tell a dispatcher about the jobs of this service: which to take, how to run and to stop them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from diplomat_svc.domain.jobs import FileRecord, Job
from diplomat_svc.domain.states import ABORTING, CANCELLED, CANCELLING, FAILURE, INCOMPLETE, TERMINATED
from diplomat_svc.domain.transactions import AuditTrail, Options, Transaction
from diplomat_svc.operations.auditing import Auditor
from diplomat_svc.operations.job_process import JobProcess
from diplomat_svc.operations.job_writer import JobWriter, log_end
from diplomat_svc.operations.owned_job import OwnedJob
from diplomat_svc.operations.recovery import recover
from diplomat_svc.operations.sweeping import JobRemovals
from diplomat_svc.store import change_clock, files, jobs
from diplomat_svc.store.tables import WORKERS
from mft_common.applied_configuration import ConfigurationFollower
from mft_common.database.leases import Lease
from mft_common.dispatch import Begin, Limits, Runner, StopRequest, Sweeper
from mft_common.endpoints.registry import Endpoints
from mft_common.notify import Channels
from mft_common.transfer.steps.openpgp import Key, remove_homes

# How long a worker that starts may take to remove the temporary files of those before it.
_SWEEP_S: Final = 10.0
# How a running job is to end, by its status; one of any other status is terminated (E8).
_REQUESTS: Final[Mapping[str, StopRequest]] = {
    CANCELLING: StopRequest(CANCELLED),
    # Its process is dead in general, and its thread ends it soon (A35).
    ABORTING: StopRequest(FAILURE, now=True),
}
_TERMINATION: Final = StopRequest(TERMINATED, now=True)


@dataclass(frozen=True)
class WorkerConfiguration:
    """The part of the configuration that a worker uses; a job keeps the one that was in force when it began.

    `private` is a folder for files of jobs that nothing outside may see.
    """

    options: Options
    endpoints: Endpoints
    channels: Channels = field(default_factory=Channels)
    audit: AuditTrail | None = None
    keys: Mapping[str, Key] = field(default_factory=dict)
    private: Path = Path("private")

    def means(self, definition: Transaction) -> dict[str, Any]:
        """Return what the child of a job may use, as plain data: nothing that its transaction does not name."""
        names = () if definition.openpgp is None else definition.openpgp.keys
        return {
            "endpoints": self.endpoints.only(definition.source.url, *definition.written_urls).to_json(),
            "keys": [self.keys[name].to_json() for name in names if name in self.keys],
            "private": str(self.private),
        }


class JobWork:
    """The jobs, as the work of a dispatcher; `runner` runs them. `sweeper` removes what they leave."""

    interrupted = INCOMPLETE

    def __init__(
        self, writer: JobWriter, configuration: ConfigurationFollower[WorkerConfiguration], runner: Runner
    ) -> None:
        self._writer = writer
        self._database = writer.database
        self._configuration = configuration
        self._runner = runner
        self._auditor = Auditor(self._database, lambda: configuration.current.audit)
        removals = JobRemovals(writer, lambda: configuration.current.endpoints)
        self.sweeper = Sweeper(removals, self._database, runner, now=writer.clock)

    @property
    def limits(self) -> Limits:
        """The limits, as of the last look at the configuration."""
        options = self._configuration.current.options
        return Limits(options.at_once, options.lease, options.stop_grace)

    def refresh(self, connection: sa.Connection) -> Limits:
        """Return the limits of the configuration that is in force."""
        self._configuration.refresh(connection)
        return self.limits

    def recover(self, *, exclusive: bool = False, owner: str = "", running: Collection[int] = ()) -> int:
        """End the jobs of dead workers, see `recovery.recover`."""
        return recover(self._writer, exclusive=exclusive, owner=owner, running=running)

    def prepare(self) -> None:
        """Remove what dead workers have left: homes of gpg, and temporary files."""
        remove_homes(self._configuration.current.private)
        self.sweeper.sweep(_SWEEP_S)

    def is_waiting(self) -> bool:
        """Return whether a job can be taken."""
        return self._database.query(lambda each: jobs.any_takeable(each, self._writer.clock()))

    def take(self, lease: Lease, begin: Begin[int]) -> bool:
        """Take the next job and begin it, or refuse it where the licence has lapsed; False where there is none."""
        with self._database.write() as connection:
            change_clock.lock(connection)
            if not WORKERS.is_alive(connection, lease):
                # This worker was frozen since it renewed its lease; it ends with the next try to do so.
                return False
            configuration = self._configuration.refresh(connection)
            lapsed = configuration.options.license_lapsed(self._writer.clock())
            refused = self._writer.refuse_next(connection) if lapsed else None
            taken = None if lapsed else self._writer.take(connection, lease.owner)
            earlier = files.of_job(connection, taken[0].sequence) if taken and taken[0].attempt > 1 else ()
        if refused is not None:
            log_end(refused)
        if taken is None:
            return refused is not None
        job, request_id = taken
        begin(job.sequence, request_id, self._process(job, configuration, lease, earlier))
        return True

    def _process(
        self, job: Job, configuration: WorkerConfiguration, lease: Lease, earlier: Sequence[FileRecord]
    ) -> JobProcess:
        owned = OwnedJob(self._writer, lease.owner, job, earlier)
        means = configuration.means(job.definition)
        return JobProcess(self._runner, owned, means, lease, self._writer.clock(), auditor=self._auditor)

    def stop_requests(self, owner: str) -> Mapping[int, StopRequest]:
        """Return how the running jobs of a worker are to end that are to be stopped (E7, E8)."""
        asked = self._database.query(lambda each: jobs.stop_requests(each, owner))
        return {sequence: _REQUESTS.get(status, _TERMINATION) for sequence, status in asked.items()}
