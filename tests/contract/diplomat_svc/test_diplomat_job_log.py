"""The log of jobs in the shared tables: its migration, and its purge, on both kinds of database."""

import importlib.util
from importlib import resources

import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

from diplomat_svc.store import jobs
from diplomat_svc.store.tables import JOB_LOG, SERVICE, metadata
from mft_common.database import Database
from mft_common.joblog import Retention, purge

NUMBERS = ("updated_at", "found", "successful", "failed", "warnings", "bytes_total", "bytes_done", "lease")
TEXTS = {"definition": "{}", "variables": "{}", "account": "a", "label": "", "address": "", "request_id": "r"}
JOB = {"transaction_id": 1, "attempt": 1, **dict.fromkeys(NUMBERS, 0), **TEXTS}


@pytest.fixture
def database(database_url):
    made = Database(database_url, schema=SERVICE, metadata=metadata, migrations="", head="")
    if made.dialect == "postgresql":
        with made.write() as connection:
            connection.execute(sa.text('CREATE SCHEMA "diplomat_svc"'))
    yield made
    made.close()


def run(database, direction, *names):
    """Run `upgrade` or `downgrade` of the revisions whose files begin with `names`."""
    folder = resources.files("diplomat_svc.migrations") / "versions"
    with database.write() as connection:
        for name in names:
            (path,) = folder.glob(f"{name}_*.py")
            spec = importlib.util.spec_from_file_location(f"revision_{name}", path)
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            with Operations.context(MigrationContext.configure(connection)):
                getattr(module, direction)()


def add_jobs(database, **statuses):
    """Insert one transaction, and a job a status, numbered from 1 on."""
    with database.write() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO transactions (id, name, direction, state, definition, removed, stamp) "
                "VALUES (1, 'one', 'outbound', '', '{}', :no, 0)"
            ),
            {"no": False},
        )
        for number, status in enumerate(statuses.values(), 1):
            values = {**JOB, "sequence": number, "transfer_id": f"{number:048}", "scheduled_at": number}
            values["status"] = status
            names, marks = ", ".join(values), ", ".join(f":{name}" for name in values)
            connection.execute(sa.text(f"INSERT INTO jobs ({names}) VALUES ({marks})"), values)


def logged(database, subject):
    with database.read() as connection:
        last = JOB_LOG.last_id(connection, subject) or 0
        return [record[:3] for page in JOB_LOG.pages(connection, subject, last_id=last) for record in page]


def test_records_of_an_earlier_version_move_to_the_shared_tables_and_back(database):
    """An upgrade loses no record and keeps their order; a downgrade gives them back."""
    run(database, "upgrade", "0001", "0002", "0003")
    add_jobs(database, one="Complete", two="Running")
    rows = [(2, 7, "Error", "first"), (1, 8, "Informational", "other"), (2, 9, "Warning", "second")]
    insert = "INSERT INTO records (sequence, at, severity, text) VALUES (:a, :b, :c, :d)"
    with database.write() as connection:
        for row in rows:
            connection.execute(sa.text(insert), dict(zip("abcd", row, strict=True)))
    run(database, "upgrade", "0004")
    assert logged(database, "2") == [(7, "Error", "first"), (9, "Warning", "second")]
    run(database, "downgrade", "0004")
    with database.read() as connection:
        found = connection.execute(sa.text("SELECT sequence, at, severity, text FROM records ORDER BY id")).all()
    assert [tuple(row) for row in found] == rows


def test_a_purge_leaves_the_logs_of_jobs_that_are_not_over(database):
    """A job that has waited or run for longer than logs are kept has its whole log at its end (E41)."""
    run(database, "upgrade", "0001", "0002", "0003", "0004")
    add_jobs(database, over="Complete", queued="Queued", running="Running", cancelling="Cancelling")
    with database.write() as connection:
        for number in range(1, 5):
            jobs.add_record(connection, number, 0, "Informational", "text")
    assert purge(database, JOB_LOG, Retention(age=1), jobs.with_kept_logs(), 10_000) == 1
    assert [len(logged(database, str(number))) for number in range(1, 5)] == [0, 1, 1, 1]
