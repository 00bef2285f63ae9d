"""A database of the revision before copies, members and reasons, with rows in every state, is brought up to date."""

import dataclasses
import hashlib
import threading

import pytest
import sqlalchemy as sa

from diplomat_svc.bootstrap import build
from diplomat_svc.domain.jobs import FileRecord, Job, Requester
from diplomat_svc.domain.states import ACTIVE, COMPLETIONS
from diplomat_svc.schemas.transactions import TransactionSchema
from diplomat_svc.settings import Settings
from diplomat_svc.store import transactions
from diplomat_svc.store.tables import SERVICE, WORKERS, files, jobs, metadata
from mft_common.database import Database
from tests.servers.databases import migrate_to
from tests.servers.diplomat_jobs import tree
from tests.servers.processes import wait_until

MIGRATIONS = "diplomat_svc.migrations"
BOTH = {
    "primary": {"url": "file:archive/originals", "content": "original"},
    "additional": {"url": "file:archive/delivered", "content": "delivered"},
}
RETRIES = {"file": 0, "job": 2, "job_delay": "0s"}
# The name of the only transaction, and the number that its last job has.
NAME, MOST = "one", 40


@pytest.fixture
def old(database_url):
    """Return a database of each kind as revision 0014 left it."""
    made = Database(database_url, schema=SERVICE, metadata=metadata, migrations=MIGRATIONS, head="0014")
    migrate_to(made, "0014")
    yield made
    made.close()


def insert(database, one, number, status, *, attempt=1, completion=None, **more):
    """Insert a job as the version of revision 0014 stored it."""
    job = Job(
        sequence=number, transaction_id=one.id, definition=one.definition, requester=Requester(account="a"),
        transfer_id=f"{number:048}", scheduled_at=number, updated_at=number, status=status, attempt=attempt,
        completion=completion, ended_at=number if completion else None,
    )  # fmt: skip
    values = {c.name: getattr(job, c.name, "") for c in jobs.c if c.name not in ("reason", "owner", "due_at")}
    values |= {"definition": one.definition.to_json(), "variables": "{}", "account": "a", **more}
    with database.write() as connection:
        connection.execute(sa.insert(jobs).values(values))


def insert_file(database, number, place, name, **more):
    """Insert a file as the version of revision 0014 stored it."""
    file = FileRecord(place=place, source=name, destination=name, size=1, began_at=1, **more)
    values = dataclasses.asdict(file) | {"temporaries": "[]", "archived": "{}", "sequence": number}
    del values["copies_pending"]
    with database.write() as connection:
        connection.execute(sa.insert(files).values(values))


def delivered(name, **more):
    """Return the columns of a delivered file that has the content `name`."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    columns = {"status": "Complete", "completion": "Successful", "ended_at": 2}
    return columns | {"sha256": digest, "delivered_size": 1, "delivered_sha256": digest} | more


def stored(database, raw):
    """Store a transaction, and the last number that a job has; return it."""
    found = TransactionSchema().load(raw)
    with database.write() as connection:
        assert transactions.apply(connection, [found], 1) == []
        connection.execute(sa.text(f"UPDATE clock SET sequence = {MOST}, stamp = 100, answered = 100"))
        # The worker of the older version was killed.
        WORKERS.sign_in(connection, "dead", 60)
        connection.execute(sa.text("UPDATE leases SET until = 1"))
        return transactions.find(connection, name=NAME)


def started(url, data, raw, runner):
    """Return the service of this version on the database, which it brings up to date."""
    settings = Settings(data=str(data), database_url=url)
    return build(settings, directory=object(), config={"transactions": [raw]}, runner=runner)


def run_all(service):
    """Run a worker until every job has its end; return the rows of the jobs by their numbers."""

    def rows():
        with service.database.read() as connection:
            return connection.execute(sa.select(jobs).order_by(jobs.c.sequence)).all()

    stop = threading.Event()
    thread = threading.Thread(target=service.dispatcher().run, args=(stop,))
    thread.start()
    try:
        wait_until(lambda: all(row.status == "Complete" for row in rows()), within=30, what="every end")
    finally:
        stop.set()
        thread.join()
    return {row.sequence: row for row in rows()}


def test_jobs_in_every_state_end_after_the_upgrade_e15(old, database_url, transaction, tmp_path, runner):
    """Jobs that are over stay as they were, waiting ones run or are missed, active ones run again or end."""
    raw = transaction(NAME, source={"files": ["none"]}, retries=RETRIES, fail_if_not_found=True)
    one = stored(old, raw)
    for number, completion in enumerate(COMPLETIONS, 1):
        insert(old, one, number, "Complete", completion=completion)
        insert_file(old, number, 0, "f", status="Complete", completion=completion, ended_at=1)
    active = len(COMPLETIONS) + 1
    for number, status in enumerate(ACTIVE, active):
        insert(old, one, number, status, owner="dead", lease=1, began_at=1)
        insert_file(old, number, 0, "f")
    waiting = active + len(ACTIVE)
    for number, (status, attempt) in enumerate([("Queued", 3), ("Queued", 1), ("Delayed", 1)], waiting):
        insert(old, one, number, status, attempt=attempt, due_at=1)
    (tmp_path / "from").mkdir()
    service = started(database_url, tmp_path, raw, runner)
    try:
        with service.database.read() as connection:
            before = {row.sequence: row for row in connection.execute(sa.select(jobs))}
            assert connection.execute(sa.select(files.c.copies_pending).distinct()).scalars().all() == [None]
        assert {row.reason for row in before.values()} == {""}
        after = run_all(service)
    finally:
        service.close()
    for number in range(1, active):
        assert after[number] == before[number]
    ends = {number: (row.completion, row.attempt) for number, row in after.items() if number >= active}
    incomplete = ("Incomplete", 1)
    assert ends == {
        **dict(zip(range(active, waiting), [("Failure", 3), incomplete, incomplete, incomplete], strict=True)),
        **dict(zip(range(waiting, waiting + 3), [("Failure", 3), ("Missed", 1), ("Missed", 1)], strict=True)),
    }
    assert all(row.reason for number, row in after.items() if number >= active)


def test_a_file_whose_copies_were_pending_gets_them_after_the_upgrade_e36(
    old, database_url, transaction, tmp_path, runner
):
    """A delivered file had no version until its copies were made: it is not delivered again, and is archived."""
    raw = transaction(NAME, retries=RETRIES, archive=BOTH, delete_source=True)
    one = stored(old, raw)
    insert(old, one, MOST, "Running", owner="dead", lease=1, began_at=1)
    insert_file(old, MOST, 0, "a", **delivered("a"))
    insert_file(old, MOST, 1, "b", **delivered("b", completion="Warning", description="A warning."))
    insert_file(old, MOST, 2, "c")
    for folder in ("from", "to"):
        (tmp_path / folder).mkdir()
    for name in "abc":
        (tmp_path / "from" / name).write_bytes(name.encode())
    service = started(database_url, tmp_path, raw, runner)
    try:
        assert run_all(service)[MOST].completion == "Warning"
    finally:
        service.close()
    token = f"-{MOST:016}"
    assert tree(tmp_path / "to") == {"c": b"c"}
    copies = {f"{folder}/{name}{token}": name.encode() for folder in ("originals", "delivered") for name in "abc"}
    assert tree(tmp_path / "archive") == copies
    assert tree(tmp_path / "from") == {"b": b"b"}
