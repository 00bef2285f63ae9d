"""Open, read and remove frozen views of the logs of jobs (2.6)."""

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from diplomat_svc.domain.calendar import long_time
from diplomat_svc.errors import BadRequest, NotThere
from diplomat_svc.operations import rights
from diplomat_svc.operations.sessions import SERVICE
from diplomat_svc.schemas.requests import LogBuffer, LogView
from diplomat_svc.store import requested_jobs
from diplomat_svc.store.tables import JOB_LOG
from mft_common.database import Database
from mft_common.directory import Directory
from mft_common.identity import Identity
from mft_common.joblog import Buffer, Record, View, Views
from mft_common.process.background_tasks import BackgroundTask, periodic_task

_MOST: Final = 50
_SWEEP_EVERY_S: Final = 600.0
_UNKNOWN: Final = "The parameter logViewID names no view of this session."


def new_view_id() -> str:
    """Return an id of the API's shape that cannot be guessed (A56)."""
    return f"log{secrets.randbelow(10**39):039d}.tmp"


def views_of(database: Database, folder: Path, zone: ZoneInfo) -> Views:
    """Return the views of the logs of jobs, whose headers show the time of `zone`."""

    def render(record: Record) -> str:
        at, severity, text, dropped, _ = record
        header = f">{severity} {long_time(at, zone)}"
        return f"{header}\n{dropped} older records were deleted." if dropped else f"{header}\n{text}"

    return Views(database, JOB_LOG, folder, render, most=_MOST, new_id=new_view_id)


@dataclass(frozen=True)
class LogViews:
    """The three requests about views; a view belongs to the session that made it (A55)."""

    database: Database
    views: Views
    buffer_lines: int

    def open(self, request: LogView, caller: Identity) -> View:
        """Make a view of the records that contain the text; NotThere where there is none (51-53)."""
        with self.database.read() as connection:
            job = requested_jobs.with_sequence(connection, request.sequence, request.name)
        if job is None or not rights.visible_to(caller)(request.name):
            raise NotThere("No job has this transactionName and sequence.")
        view = self.views.create(
            _session(caller), str(job.sequence), contains=request.contains, buffer_lines=self.buffer_lines
        )
        if view is None:
            raise NotThere("The log of the job has no record for these parameters.")
        return view

    def buffer(self, request: LogBuffer, caller: Identity) -> Buffer:
        """Return the buffer with a line (54-56)."""
        found = self.views.buffer(_session(caller), request.view_id, request.line)
        if found is None:
            raise BadRequest(_UNKNOWN)
        return found

    def remove(self, view_id: str, caller: Identity) -> None:
        """Remove a view and free its disk space (57)."""
        if not self.views.remove(_session(caller), view_id):
            raise BadRequest(_UNKNOWN)

    def end_session(self, session: str) -> None:
        """Remove all views of a session that ended."""
        with self.database.write() as connection:
            self.views.remove_of(connection, session)


def _session(caller: Identity) -> str:
    assert caller.session is not None
    return caller.session


def sweep(database: Database, views: Views, directory: Directory) -> None:
    """Remove the views of sessions that are over, and files of no view.

    The owners are read before the sessions: a view that is made in between belongs to a session that is open.
    """
    owner = JOB_LOG.views.c.owner
    with database.read() as connection:
        owners = set(connection.execute(sa.select(owner).distinct()).scalars())
    open_sessions = {session.public_id for session in directory.list_sessions(SERVICE)} if owners else set[str]()
    for one in sorted(owners - open_sessions):
        with database.write() as connection:
            views.remove_of(connection, one)
    views.sweep()


def sweep_task(database: Database, views: Views, directory: Directory) -> BackgroundTask:
    """Return the task of a worker that sweeps at its start and every ten minutes."""
    return periodic_task("log-views", lambda: sweep(database, views, directory), every=_SWEEP_EVERY_S)
