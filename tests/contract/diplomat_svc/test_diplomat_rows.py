"""The rows of jobs and files on both kinds of database: names of any kind, repeated inserts, and the purge (E41)."""

import dataclasses

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from diplomat_svc.domain.jobs import FileRecord, Job, MemberRecord, Requester
from diplomat_svc.domain.states import COMPLETE, RUNNING
from diplomat_svc.domain.transactions import Destination, Source, Transaction
from diplomat_svc.store import audits, files, jobs, members, purging, sweeps, transactions
from diplomat_svc.store.tables import JOB_LOG, SWEEPS, open_database

DAY = 86_400_000


@pytest.fixture
def database(database_url):
    """Return a database with the transactions `one` and `two`."""
    made = open_database(database_url)
    with made.write() as connection:
        assert transactions.apply(connection, [_transaction("one"), _transaction("two")], 1) == []
    yield made
    made.close()


def _transaction(name):
    source, destination = Source(url="file:from", files=("*",)), Destination(url="file:to")
    return Transaction(name=name, direction="outbound", source=source, destination=destination)


def add(database, number, name="one", *, ended_at=0, status=COMPLETE):
    """Insert a job with one file and one record of its log."""
    with database.write() as connection:
        found = transactions.find(connection, name=name)
        job = Job(
            sequence=number, transaction_id=found.id, definition=found.definition, requester=Requester(account="a"),
            transfer_id=f"{number:048}", scheduled_at=number, updated_at=number, status=status, ended_at=ended_at,
        )  # fmt: skip
        jobs.add(connection, job, "r")
        files.begin(connection, number, FileRecord(place=0, source="f", destination="f", size=1, began_at=1))
        jobs.add_record(connection, number, 0, "Informational", "text")


def left(database):
    """Return the sequences that are left in each table."""
    with database.read() as connection:
        tables = [connection.execute(sa.text(f"SELECT sequence FROM {name} ORDER BY sequence")).scalars().all()
                  for name in ("jobs", "files")]  # fmt: skip
        logs = sorted(int(subject) for subject in connection.execute(sa.select(JOB_LOG.records.c.subject)).scalars())
    assert tables[0] == tables[1] == logs
    return logs


def test_old_jobs_go_with_all_that_is_theirs_and_the_most_recent_stays_e41(database):
    """By age: an active job stays, and so does the most recent job of each transaction, whatever its age."""
    for number in range(1, 251):
        add(database, number)
    add(database, 251, status=RUNNING, ended_at=None)
    add(database, 252, ended_at=9 * DAY)
    add(database, 253, ended_at=0)
    add(database, 254, "two")
    assert purging.purge(database, 10 * DAY, age=2 * 86_400.0, newest=None) == 250
    assert left(database) == [251, 252, 253, 254]


def test_the_newest_jobs_of_each_transaction_stay_e41(database):
    """By count: each transaction keeps its newest jobs, however old."""
    for number in range(1, 9):
        add(database, number, "one" if number % 2 else "two")
    assert purging.purge(database, 0, age=None, newest=2) == 4
    assert left(database) == [5, 6, 7, 8]
    assert purging.purge(database, 0, age=None, newest=None) == 0


def test_a_job_whose_log_is_being_viewed_stays_e41(database):
    """A view shows the log as it was when it was opened, for as long as it is open."""
    for number in (1, 2, 3):
        add(database, number)
    with database.write() as connection:
        view = {"id": "v", "owner": "o", "subject": "1", "contains": "", "file": "f", "last_id": 1}
        given = {name: value for name, value in view.items() if name in JOB_LOG.views.c}
        rest = {c.name: 0 for c in JOB_LOG.views.c if c.name not in given and not c.nullable}
        connection.execute(sa.insert(JOB_LOG.views).values(**given, **rest))
    assert purging.purge(database, 10 * DAY, age=1.0, newest=1) == 1
    assert left(database) == [1, 3]


def test_a_job_without_its_audit_record_stays_until_its_own_limit_e41(database):
    """Neither age nor count deletes it while its record is to be written; after 365 days a line of the log names it."""
    for number in (1, 2, 3):
        add(database, number, ended_at=DAY)
    with database.write() as connection:
        audits.add(connection, 1)
    assert purging.purge(database, 366 * DAY, age=1.0, newest=1) == 1
    assert left(database) == [1, 3]
    assert database.query(audits.pending) == [1]
    with capture_logs() as lines:
        assert purging.purge(database, 366 * DAY + 1, age=1.0, newest=1) == 1
    assert left(database) == [3]
    assert database.query(audits.pending) == []
    assert [(line["event"], line["sequence"]) for line in lines] == [("audit.given_up", 1)]


def add_sweep(database, number, temporaries=()):
    """Record that a job may have left temporary files, with the names of some."""
    with database.write() as connection:
        SWEEPS.add(connection, number, 0)
        record = FileRecord(place=0, source="f", destination="f", size=1, began_at=1, temporaries=temporaries)
        files.begin(connection, number, record)


def swept(database, number):
    """Return the jobs whose temporary files a worker is to remove; those of `number` are gone then."""
    with database.write() as connection:
        places = lambda keys: sweeps.destinations(connection, keys)  # noqa: E731
        claimed = [each.key for each in SWEEPS.claim(connection, 1, 8, places)]
        SWEEPS.remove(connection, number)
    return claimed


def test_a_job_that_may_have_left_temporary_files_stays_until_they_are_removed_e41(database):
    """Neither age nor count deletes it while its destination is away, so that the removal is tried again."""
    for number in (1, 2, 3):
        add(database, number, ended_at=DAY)
    add_sweep(database, 1)
    assert purging.purge(database, 366 * DAY, age=1.0, newest=1) == 1
    assert left(database) == [1, 3]
    assert database.query(SWEEPS.count) == 1
    assert swept(database, 1) == [1]
    assert purging.purge(database, 366 * DAY, age=1.0, newest=1) == 1
    assert left(database) == [3]


def test_a_job_whose_temporary_files_were_never_removed_goes_at_last_and_the_log_names_them_e41(database):
    """After 365 days a line tells the folders, the names, and the token that every such file has in its name."""
    for number in (1, 2):
        add(database, number, ended_at=DAY)
    add_sweep(database, 1, (".a\n.T.part", ".b.T.part"))
    with capture_logs() as lines:
        assert purging.purge(database, 366 * DAY, age=1.0, newest=None) == 0
        assert purging.purge(database, 366 * DAY + 1, age=1.0, newest=None) == 1
    assert left(database) == [2]
    assert database.query(SWEEPS.count) == 0
    (line,) = lines
    assert (line["event"], line["log_level"], line["sequence"]) == ("sweep.given_up", "error", 1)
    assert line["folders"] == ["file:to"]
    assert line["names"] == [".a\ufffd.T.part", ".b.T.part"]
    assert line["token"] == f"{1:016}{1:016}"


def test_a_job_whose_audit_record_is_written_is_purged_e41(database):
    """It stays for no longer than other jobs."""
    for number in (1, 2):
        add(database, number, ended_at=DAY)
    with database.write() as connection:
        audits.add(connection, 1)
        audits.written(connection, 1, "Successful")
    assert purging.purge(database, 10 * DAY, age=1.0, newest=None) == 1
    assert left(database) == [2]


@pytest.mark.parametrize("name", ["a\0b", "caf\udce9", "lone\ud800end", "pair\udfff"])
def test_a_name_of_any_kind_is_stored_a60(database, name):
    """A far side may list any text; both databases hold it with U+FFFD in the place of what they refuse."""
    add(database, 1)
    with database.write() as connection:
        files.begin(connection, 1, FileRecord(place=1, source=name, destination=name, size=1, began_at=1))
    with database.read() as connection:
        (_, found) = files.of_job(connection, 1)
    assert "\ufffd" in found.source
    assert found.source == found.destination == files.storable(name)


def test_a_file_that_is_begun_again_has_one_record_e20(database):
    """The answer to the first insert got lost, or an earlier attempt had begun the file."""
    add(database, 1)
    again = FileRecord(place=0, source="g", destination="g", size=2, began_at=5)
    with database.write() as connection:
        files.change(connection, 1, dataclasses.replace(again, bytes_done=7, sha256="x"), ("bytes_done", "sha256"))
        files.begin(connection, 1, again)
    with database.read() as connection:
        assert files.of_job(connection, 1) == (again,)


def test_members_are_those_of_one_content_of_an_archive_e35(database):
    """One of a new content replaces that of the former; archives that have a copy are added; the job's end deletes."""
    add(database, 1)
    first = MemberRecord(
        number=3, archive_sha256="a" * 64, name="s/\u00e9", destination="s/\u00e9", size=1 << 40, sha256="b" * 64,
        warnings=("one", "two"),
    )  # fmt: skip
    other = dataclasses.replace(first, archive_sha256="c" * 64)
    with database.write() as connection:
        members.add(connection, 1, 0, first)
        for which in ("primary", "primary", "additional"):
            members.archived(connection, 1, 0, 3, which)
        found = members.find(connection, 1, 0, 3, "a" * 64)
        assert found == dataclasses.replace(first, archived=("primary", "additional"))
        assert members.find(connection, 1, 0, 2, "a" * 64) is None
        members.add(connection, 1, 0, other)
        assert members.find(connection, 1, 0, 3, "a" * 64) is None
        assert members.find(connection, 1, 0, 3, "c" * 64) == other
        assert members.taken(connection, 1, 1, ["none", other.destination]) == {other.destination: "f"}
        assert members.taken(connection, 1, 0, [other.destination]) == {}, "its own archive may replace it"
        members.remove(connection, 1)
        assert members.find(connection, 1, 0, 3, "c" * 64) is None
