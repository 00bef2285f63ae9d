"""Carry out the requests of the API: one method each."""

from collections.abc import Sequence
from dataclasses import dataclass

from diplomat_svc.domain.histories import Statuses
from diplomat_svc.domain.transactions import Configuration
from diplomat_svc.errors import NotSupported, Unauthorized
from diplomat_svc.operations import histories, scheduling, sessions, statuses, stopping, summaries
from diplomat_svc.operations.histories import Histories
from diplomat_svc.operations.job_writer import JobWriter
from diplomat_svc.operations.log_views import LogViews
from diplomat_svc.schemas.requests import Connect, LogBuffer, LogView, RunNow, Which
from mft_common.clock import Clock
from mft_common.database import Database
from mft_common.directory import Directory
from mft_common.identity import Identity
from mft_common.ids import TransferIds
from mft_common.joblog import Buffer, View


@dataclass(frozen=True, kw_only=True)
class Operations:
    """The requests of the API."""

    database: Database
    directory: Directory
    configuration: Configuration
    transfer_ids: TransferIds
    clock: Clock
    writer: JobWriter
    log_views: LogViews
    server: summaries.Server

    def check_api(self) -> None:
        """Raise NotSupported while the API is switched off or its licence has lapsed (15)."""
        options = self.configuration.options
        if not options.api or options.license_lapsed(self.clock()):
            raise NotSupported("This service does not support the API: it is switched off or not licensed.")

    def check_session(self, caller: Identity) -> None:
        """Raise Unauthorized unless the caller has a session of this protocol (16, 18, A24)."""
        if caller.account is None or caller.session is None or caller.grant is None:
            raise Unauthorized("There is no active session; connect first.")

    def connect(self, request: Connect, caller: Identity, cookies: tuple[str, ...]) -> sessions.Outcome:
        """Open a session (2.1)."""
        options = self.configuration.options
        return sessions.connect(self.directory, options, request, caller, cookies)

    def disconnect(self, _request: None, caller: Identity) -> None:
        """End the caller's session (19); its jobs go on (20)."""
        assert caller.session is not None
        self.directory.close_session(sessions.SERVICE, caller.session)
        self.log_views.end_session(caller.session)

    def run_now(self, request: RunNow, caller: Identity) -> int:
        """Schedule a job and return its `scheduledTime` (2.2)."""
        queue_limit = self.configuration.options.queue_limit
        return scheduling.Scheduler(self.writer, self.transfer_ids, queue_limit).run_now(request, caller)

    def transaction_statuses(self, since: int | None, caller: Identity) -> Statuses:
        """Return what changed after `since` (2.7)."""
        return statuses.transaction_statuses(self.database, self.clock, since, caller)

    def cancel(self, which: Which, caller: Identity) -> None:
        """Stop a job gracefully (41)."""
        stopping.cancel(self.writer, which, caller)

    def terminate(self, which: Which, caller: Identity) -> None:
        """Stop a job at once (42)."""
        stopping.terminate(self.writer, which, caller)

    def summary(self, which: Which, caller: Identity) -> str:
        """Describe the most recent job of a transaction (2.4)."""
        job, files = histories.newest_job(self.database, which, caller)
        return summaries.summary(job, files, self.server)

    def job_histories(self, wanted: Sequence[Which], caller: Identity) -> Histories:
        """List the jobs of transactions (2.5)."""
        return histories.job_histories(self.database, self.clock, wanted, caller, self.configuration.options)

    def log_view(self, request: LogView, caller: Identity) -> View:
        """Make a view of a job's log (51)."""
        return self.log_views.open(request, caller)

    def log_buffer(self, request: LogBuffer, caller: Identity) -> Buffer:
        """Return some lines of a view (54)."""
        return self.log_views.buffer(request, caller)

    def remove_log_view(self, view_id: str, caller: Identity) -> None:
        """Remove a view (57)."""
        self.log_views.remove(view_id, caller)
