"""Write audit records into a database of the operator's, which may hang, be full or be away."""

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any, Final

import psycopg
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from diplomat_svc.domain.transactions import AuditTrail
from diplomat_svc.errors import AuditFailed

Record = Mapping[str, Any]

_WITHIN_S: Final = 10.0
# More time for each file of a job.
_WITHIN_A_FILE_S: Final = 0.001
_LOOK_EVERY_S: Final = 0.1
_BUSY_S: Final = 5.0
_AT_ONCE: Final = 8

_metadata = sa.MetaData()


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text()) for name in names]


# Times are texts of ISO 8601 in UTC.
_JOBS: Final = sa.Table(
    "crossdock_audit_job",
    _metadata,
    sa.Column("transfer_id", sa.String(48), primary_key=True),
    *_texts("sequence", "transaction_id", "transaction_name", "direction", "account", "label", "address"),
    *_texts("source", "destination", "scheduled_at", "began_at", "ended_at", "completion"),
    *[sa.Column(name, sa.BigInteger()) for name in ("attempt", "found", "successful", "failed", "warnings", "bytes")],
)
_FILES: Final = sa.Table(
    "crossdock_audit_file",
    _metadata,
    sa.Column("transfer_id", sa.String(48), primary_key=True),
    sa.Column("place", sa.Integer(), primary_key=True, autoincrement=False),
    *_texts("source", "destination", "sha256", "began_at", "ended_at", "completion", "description"),
    *[sa.Column(name, sa.BigInteger()) for name in ("size", "retries")],
)


class AuditDatabase:
    """One audit database; its tables are made where they are missing.

    Each write is carried out in a thread of its own, which its caller leaves behind when it does not end in time: there
    are drivers that no time limit ends. Eight at most are under way at once, of SQLite one, whose writers exclude each
    other anyway.
    """

    def __init__(self, trail: AuditTrail, *, within: float = _WITHIN_S) -> None:
        self._folder = trail.folder
        self._within = within
        self._engine = _engine_of(sa.make_url(trail.url))
        self._is_file = self._engine.dialect.name == "sqlite"
        self._slots = threading.Semaphore(1 if self._is_file else _AT_ONCE)
        self._has_tables = False

    def write(self, job: Record, files: Sequence[Record], is_stopped: Callable[[], bool]) -> None:
        """Insert the records of a job and of its files, or update those that differ.

        `attempt` and `ended_at` of the job order its states: a write of an earlier state than the recorded one changes
        nothing, so that one which its caller left behind may be carried out at any time.
        The return means that they are committed. AuditFailed with a reason that names no host, no path and no value:
        the database refused them, did not answer in time, or `is_stopped()` is true meanwhile.
        """
        within = self._within + len(files) * _WITHIN_A_FILE_S
        until = time.monotonic() + within

        def check() -> None:
            if is_stopped():
                raise AuditFailed("the job was stopped before the audit database had answered")
            if time.monotonic() > until:
                raise AuditFailed(f"the audit database did not answer within {within:.0f} s")

        while not self._slots.acquire(timeout=_LOOK_EVERY_S):
            check()
        done: Future[None] = Future()
        try:
            threading.Thread(target=self._run, args=(done, job, files), name="audit", daemon=True).start()
        except BaseException:
            self._slots.release()
            raise
        while not wait([done], timeout=_LOOK_EVERY_S).done:
            check()
        done.result()

    def _run(self, done: "Future[None]", job: Record, files: Sequence[Record]) -> None:
        try:
            with _failures():
                self._store(job, files)
        except BaseException as error:  # noqa: BLE001 -- raised again where the result is asked for
            self._has_tables = False
            done.set_exception(error)
        else:
            done.set_result(None)
        finally:
            self._slots.release()

    def _store(self, job: Record, files: Sequence[Record]) -> None:
        if self._folder:
            Path(self._folder).mkdir(parents=True, exist_ok=True, mode=0o700)
        # A file can be deleted or replaced at any time, and each connection opens it anew.
        if self._is_file or not self._has_tables:
            _metadata.create_all(self._engine)
            self._has_tables = True
        try:
            self._merge(job, files)
        except sa.exc.IntegrityError:
            # Another write has inserted the record of this job meanwhile; now it is found.
            self._merge(job, files)

    def _merge(self, job: Record, files: Sequence[Record]) -> None:
        with self._engine.begin() as connection:
            if _put_job(connection, job):
                _merge_files(connection, files, job["transfer_id"])


def _put_job(connection: sa.Connection, job: Record) -> bool:
    """Insert or update the record of a job; False where the one that is there is of a later state.

    A write that its caller left behind may be carried out after a later one. The update locks the record, so that the
    records of the files are guarded by it too.
    """
    c = _JOBS.c
    same = c.transfer_id == job["transfer_id"]
    as_late = sa.and_(c.attempt == job["attempt"], c.ended_at <= job["ended_at"])
    not_later = sa.or_(c.attempt < job["attempt"], as_late)
    if connection.execute(sa.update(_JOBS).where(same, not_later).values(**job)).rowcount:
        return True
    if connection.execute(sa.select(c.transfer_id).where(same)).first() is not None:
        return False
    connection.execute(sa.insert(_JOBS).values(**job))
    return True


def _merge_files(connection: sa.Connection, files: Sequence[Record], transfer_id: str) -> None:
    """Insert the records of files that are missing, and update those that differ, as of an earlier attempt."""
    c = _FILES.c
    found = connection.execute(sa.select(_FILES).where(c.transfer_id == transfer_id))
    held = {row.place: row._mapping for row in found}  # noqa: SLF001 -- SQLAlchemy's own public name
    missing = [dict(file) for file in files if file["place"] not in held]
    if missing:
        connection.execute(sa.insert(_FILES), missing)
    for file in files:
        if file["place"] in held and any(held[file["place"]][name] != value for name, value in file.items()):
            one = (c.transfer_id == transfer_id, c.place == file["place"])
            connection.execute(sa.update(_FILES).where(*one).values(**file))


def _engine_of(url: sa.URL) -> sa.Engine:
    kind = url.get_backend_name()
    arguments: dict[str, Any] = {}
    if kind == "sqlite":
        arguments = {"timeout": _BUSY_S}
    elif url.drivername == "postgresql+psycopg":
        arguments = {"connect_timeout": round(_BUSY_S)}
    # No connection outlives its write: what a server, a firewall or a mount did to an idle one cannot matter.
    return sa.create_engine(url, poolclass=NullPool, connect_args=arguments, hide_parameters=True)


@contextlib.contextmanager
def _failures() -> Iterator[None]:
    """Turn the errors of databases into AuditFailed, whose text is the kind of error alone."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        raise AuditFailed(f"the audit database failed ({_name_of(error.orig)})") from None
    except (sa.exc.SQLAlchemyError, OSError) as error:
        raise AuditFailed(f"the audit database failed ({type(error).__name__})") from None


def _name_of(error: BaseException | None) -> str:
    name = type(error).__name__
    if isinstance(error, sqlite3.Error):
        return error.sqlite_errorname
    if isinstance(error, psycopg.Error) and error.sqlstate:
        return f"{name}, {error.sqlstate}"
    return name
