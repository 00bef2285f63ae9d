"""Tables of earlier versions with transfers in them are brought to the newest one and back, on both databases."""

import importlib.util
from importlib import resources

import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

from mft_common.database import Database
from mqmft_svc import SERVICE
from mqmft_svc.store import managed, transfers, visibility
from mqmft_svc.store.tables import metadata

MANAGED = {
    "submission": "{}", "account": "a", "host": "h", "request_id": "r", "source_agent": "QUAY",
    "destination_agent": "YARD", "priority": 0, "status": "queued", "due_at": 0, "retries": 0, "stop": "", "owner": "",
    "fence": 0,
}  # fmt: skip


@pytest.fixture
def database(database_url):
    made = Database(database_url, schema=SERVICE, metadata=metadata, migrations="", head="")
    if made.dialect == "postgresql":
        with made.write() as connection:
            connection.execute(sa.text(f'CREATE SCHEMA "{SERVICE.replace("-", "_")}"'))
    yield made
    made.close()


def revisions():
    """Return the files of the revisions, the oldest first."""
    folder = resources.files("mqmft_svc.migrations") / "versions"
    return sorted(folder.glob("*_*.py"), key=lambda path: path.name)


def run(database, direction, paths):
    """Run `upgrade` or `downgrade` of revisions."""
    with database.write() as connection:
        for path in paths:
            spec = importlib.util.spec_from_file_location(f"revision_{path.stem}", path)
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            with Operations.context(MigrationContext.configure(connection)):
                getattr(module, direction)()


def insert(database, table, **values):
    """Insert a row by SQL, as an earlier version did."""
    names, marks = ", ".join(values), ", ".join(f":{name}" for name in values)
    with database.write() as connection:
        connection.execute(sa.text(f"INSERT INTO {table} ({names}) VALUES ({marks})"), values)


def split(word):
    """Return the revisions before the one of that name, and those from it on."""
    paths = revisions()
    (place,) = [number for number, path in enumerate(paths) if path.stem.partition("_")[2] == word]
    return paths[:place], paths[place:]


def test_220_transfers_that_wait_keep_their_places(database):
    """Item 220: those of an earlier version wait since they were submitted, and after a downgrade do so again."""
    before, after = split("schedules")
    run(database, "upgrade", before)
    for number, at in ((1, 30), (2, 10), (3, 20)):
        insert(database, "managed", **MANAGED, id=f"{number:048}", submitted_at=at)
    run(database, "upgrade", after)

    def first():
        with database.read() as connection:
            return int(managed.next_due(connection, 100, [], []))

    assert first() == 2
    with database.write() as connection:
        managed.update(connection, f"{2:048}", queued_at=25)
    assert first() == 3
    run(database, "downgrade", reversed(after))
    with database.read() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM managed")).scalar() == 3
    run(database, "upgrade", after)
    assert first() == 2


def test_50_200_what_is_hidden_is_counted_from_the_first_start_on(database):
    """Items 50 and 200: the transfers of an earlier version are hidden by a start, and counted as such."""
    before, after = split("visibility")
    run(database, "upgrade", before)
    names = ("protocol", "description", "home_qmgr", "host", "account", "mqmd_user", "label", "job_name", "network")
    agents = ("source_agent", "source_qmgr", "destination_agent", "destination_qmgr")
    texts = dict.fromkeys((*names, *agents), "")
    numbers = dict.fromkeys(("files", "successes", "failures", "warnings", "bytes_sent", "retries", "sequence"), 0)
    row = {**texts, **numbers, "state": "successful", "head_rank": 2, "user_properties": "{}", "updated_at": 5}
    for number in range(3):
        insert(database, "transfer", **row, id=f"{number:048}", started_at=number)
    run(database, "upgrade", after)
    insert(database, "transfer", **row, id=f"{3:048}", started_at=3)
    with database.write() as connection:
        assert (transfers.count(connection), visibility.count(connection)) == (4, 4)
        visibility.begin(connection, 3, None)
        assert (transfers.count(connection), visibility.count(connection)) == (4, 1)
    run(database, "downgrade", reversed(after))
    insert(database, "transfer", **row, id=f"{4:048}", started_at=4)
    with database.read() as connection:
        assert transfers.count(connection) == 5


def test_152_234_238_rows_of_an_earlier_version_stay_as_they_are(database):
    """Items 152, 234, 238: a monitor, a key of a request and a transfer get empty new columns, and lose them again."""
    before, after = split("monitored_queues")
    run(database, "upgrade", before)
    insert(database, "monitor", name="M", agent="QUAY", document="{}", account="a", created_at=1, configured=False)
    insert(database, "submission_key", account="a", key="k", transfer=f"{1:048}", at=5)
    insert(database, "managed", **MANAGED, id=f"{1:048}", submitted_at=1, queued_at=1)
    new = (
        ("monitor", "name, last_transfer", ("M", None)),
        ("submission_key", "transfer, repeated_at", (f"{1:048}", None)),
        ("managed", "account, receiver", ("a", "")),
    )

    def rows():
        with database.read() as connection:
            return [tuple(connection.execute(sa.text(f"SELECT {what} FROM {table}")).one()) for table, what, _ in new]

    run(database, "upgrade", after)
    assert rows() == [row for *_, row in new]
    run(database, "downgrade", reversed(after))
    run(database, "upgrade", after)
    assert rows() == [row for *_, row in new]
