"""Carry out the requests of the API: one method each."""

from dataclasses import dataclass

from diplomat_svc.domain.jobs import Statuses
from diplomat_svc.domain.transactions import Configuration
from diplomat_svc.errors import NotSupported, Unauthorized
from diplomat_svc.operations import scheduling, sessions, statuses
from diplomat_svc.operations.job_writer import JobWriter
from diplomat_svc.schemas.requests import Connect, RunNow
from mft_common.clock import Clock
from mft_common.database import Database
from mft_common.directory import Directory
from mft_common.identity import Identity
from mft_common.ids import TransferIds


@dataclass(frozen=True, kw_only=True)
class Operations:
    """The requests of the API; those that are not built answer 501."""

    database: Database
    directory: Directory
    configuration: Configuration
    transfer_ids: TransferIds
    clock: Clock
    writer: JobWriter

    def check_api(self) -> None:
        """Raise NotSupported while the API is switched off or its licence has lapsed (15)."""
        options = self.configuration.options
        lapsed = options.valid_until is not None and self.clock() > options.valid_until
        if not options.api or lapsed:
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

    def run_now(self, request: RunNow, caller: Identity) -> int:
        """Schedule a job and return its `scheduledTime` (2.2)."""
        queue_limit = self.configuration.options.queue_limit
        return scheduling.Scheduler(self.writer, self.transfer_ids, queue_limit).run_now(request, caller)

    def transaction_statuses(self, since: int | None, caller: Identity) -> Statuses:
        """Return what changed after `since` (2.7)."""
        return statuses.transaction_statuses(self.database, self.clock, since, caller)

    def not_built(self, _request: None, _caller: Identity) -> None:
        """Refuse a request of the API that is not built yet."""
        raise NotSupported("This request is not supported yet.")
