"""The audit trail: a record of each job and each file in a database of the operator's, before sources are deleted."""

import sqlite3
import sys
import textwrap

import pytest
import sqlalchemy as sa

from diplomat_svc.domain.transactions import AuditTrail
from diplomat_svc.errors import AuditFailed
from diplomat_svc.operations.auditing import Auditor, write_pending
from diplomat_svc.store import audits, purging
from diplomat_svc.store.audit_database import AuditDatabase
from mft_common import clock
from tests.servers.made_secrets import secret
from tests.servers.processes import wait_until
from tests.servers.small_disk import run_on_small_disk

DIPLOMAT = {"audit": {"url": "sqlite:///audit/trail.db"}}
JOB = {
    "transfer_id": "T1", "completion": "Successful", "transaction_name": "one",
    "attempt": 1, "ended_at": "2026-03-04T17:45:03.000Z",
}  # fmt: skip
FILE = {"transfer_id": "T1", "place": 0, "source": "a.txt", "completion": "Successful"}


def _rows(path, statement):
    connection = sqlite3.connect(path)
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.close()


def _ended(made, name):
    made.run(name)
    with made.work():
        return made.finished(name).findtext("completionStatus")


def _summary(made, name):
    text = made.call("summary", ("transactionName", name)).text("summary")
    return next(line for line in text.splitlines() if line.startswith("Audit record"))


def _later(made):
    auditor = Auditor(made.service.database, lambda: made.service.follower.current.audit)
    return write_pending(made.service.operations.writer, auditor)


def _never():
    return False


def test_a_record_of_the_job_and_of_each_file_is_written_45(hub, transaction, tmp_path):
    """A relative SQLite file lies below the data folder; the summary tells of the record."""
    made = hub(transaction("one", delete_source=True), diplomat=DIPLOMAT).log_in()
    for name in ("a.txt", "b.txt"):
        (tmp_path / "from" / name).write_text(name)
    assert _ended(made, "one") == "Successful"
    assert list((tmp_path / "from").iterdir()) == []
    path = tmp_path / "audit/trail.db"
    ((name, account, completion, found, transfer_id),) = _rows(
        path, "SELECT transaction_name, account, completion, found, transfer_id FROM crossdock_audit_job"
    )
    assert (name, account, completion, found) == ("one", "Administrator", "Successful", 2)
    ((stored,),) = made.rows("SELECT transfer_id FROM jobs")
    assert transfer_id == stored
    files = _rows(path, "SELECT place, source, destination, size, completion FROM crossdock_audit_file ORDER BY place")
    assert files == [(0, "a.txt", "a.txt", 5, "Successful"), (1, "b.txt", "b.txt", 5, "Successful")]
    assert _summary(made, "one") == "Audit record: written"


def test_a_further_attempt_that_ends_alike_has_its_record_45(hub, transaction, tmp_path):
    """The record of a job that failed twice is that of its last attempt, for the job and for its files."""
    retries = {"file": 0, "job": 1, "job_delay": "0s"}
    made = hub(transaction("one", delete_source=True, retries=retries), diplomat=DIPLOMAT).log_in()
    for name in ("a.txt", "b.txt"):
        (tmp_path / "from" / name).write_text(name)
    (tmp_path / "to" / "b.txt").mkdir(parents=True)
    assert _ended(made, "one") == "Failure"
    path = tmp_path / "audit/trail.db"
    ((attempt, ended),) = _rows(path, "SELECT attempt, ended_at FROM crossdock_audit_job")
    ((stored,),) = made.rows("SELECT began_at FROM jobs")
    assert attempt == 2
    assert ended >= clock.iso(stored)
    ((began,),) = _rows(path, "SELECT began_at FROM crossdock_audit_file WHERE source = 'b.txt'")
    assert began >= clock.iso(stored)


def test_a_transaction_can_have_no_record_45(hub, transaction, tmp_path):
    """`record: false` wins over the section."""
    made = hub(transaction("one", audit={"record": False}), diplomat=DIPLOMAT).log_in()
    (tmp_path / "from/a.txt").write_text("a")
    assert _ended(made, "one") == "Successful"
    assert not (tmp_path / "audit").exists()
    assert _summary(made, "one") == "Audit record: none"


@pytest.mark.parametrize("critical", ["section", "transaction"])
def test_a_failed_record_is_critical_and_sources_stay_76(hub, transaction, tmp_path, critical):
    """The files are delivered, the sources stay; the record follows once the database is there."""
    folder = tmp_path / "unmounted"
    section = {"url": f"sqlite:///{folder}/trail.db", "critical": critical == "section"}
    own = {"critical": True} if critical == "transaction" else {}
    made = hub(transaction("one", delete_source=True, audit=own), diplomat={"audit": section}).log_in()
    (tmp_path / "from/a.txt").write_text("a")
    assert _ended(made, "one") == "Critical"
    assert (tmp_path / "from/a.txt").read_text() == (tmp_path / "to/a.txt").read_text() == "a"
    cells = {(one.get("row"), one.get("column")): one.get("value") for one in made.call("transactionStatuses").root
             if one.tag == "transactionStatusSummary"}  # fmt: skip
    assert cells["3", "1"] == "1"
    severities = [row[0] for row in made.rows("SELECT severity FROM job_log")]
    assert severities.count("Critical") == 1
    assert _summary(made, "one") == "Audit record: not written"
    assert not _later(made)
    folder.mkdir()
    assert _later(made)
    assert _rows(folder / "trail.db", "SELECT completion FROM crossdock_audit_job") == [("Critical",)]
    assert _summary(made, "one") == "Audit record: written"


def test_a_failed_record_without_critical_leaves_the_result_e31(hub, transaction, tmp_path):
    """The end is what it was, an Error record tells of it, and the summary says that there is no audit record."""
    section = {"url": f"sqlite:///{tmp_path}/unmounted/trail.db"}
    made = hub(transaction("one", delete_source=True), diplomat={"audit": section}).log_in()
    (tmp_path / "from/a.txt").write_text("a")
    assert _ended(made, "one") == "Successful"
    assert list((tmp_path / "from").iterdir()) == []
    ((text,),) = made.rows("SELECT text FROM job_log WHERE severity = 'Error'")
    assert text.endswith("No audit record was written: the audit database failed (SQLITE_CANTOPEN).")
    assert str(tmp_path) not in text
    assert _summary(made, "one") == "Audit record: not written"


def test_a_job_without_files_is_critical_too_e30(hub, transaction, tmp_path):
    """Every end has its record, also that of a job which found nothing."""
    section = {"url": f"sqlite:///{tmp_path}/unmounted/trail.db", "critical": True}
    made = hub(transaction("one"), diplomat={"audit": section}).log_in()
    assert _ended(made, "one") == "Critical"


def test_a_source_that_stays_changes_the_record_74(hub, transaction, tmp_path):
    """The record is written before the deletion, and again when that makes the end a Warning."""
    made = hub(transaction("one", delete_source=True), diplomat=DIPLOMAT).log_in()
    source = tmp_path / "from/a.txt"
    source.write_text("a")
    seen = []

    class Watched(AuditDatabase):
        """Sees whether the source is there at each write, and replaces it at the first."""

        def write(self, job, files, is_stopped):
            seen.append((job["completion"], source.exists()))
            super().write(job, files, is_stopped)
            if len(seen) == 1:
                source.unlink()
                source.mkdir()

    dispatcher = made.service.dispatcher()
    dispatcher._work._auditor._open = Watched
    made.run("one")
    with made.work_with(dispatcher):
        assert made.finished("one").findtext("completionStatus") == "Warning"
    assert seen == [("Successful", True), ("Warning", True)]
    assert _rows(tmp_path / "audit/trail.db", "SELECT completion FROM crossdock_audit_job") == [("Warning",)]
    assert _rows(tmp_path / "audit/trail.db", "SELECT completion FROM crossdock_audit_file") == [("Warning",)]
    assert made.rows("SELECT * FROM audits") == []


def test_a_source_that_stays_changes_the_record_of_its_file_where_the_job_ends_alike_74(hub, transaction, tmp_path):
    """A job that was a Warning before the deletion is written again: the end of one of its files is another one."""
    one = transaction("one", delete_source=True, mode="ascii", retries={"file": 0})
    made = hub(one, diplomat=DIPLOMAT).log_in()
    (tmp_path / "from/a.txt").write_bytes(b"\r\n" * 50)
    source = tmp_path / "from/b.txt"
    source.write_text("b")

    class Replacing(AuditDatabase):
        """Replaces a source once its record is written."""

        def write(self, job, files, is_stopped):
            super().write(job, files, is_stopped)
            if source.is_file():
                source.unlink()
                source.mkdir()

    dispatcher = made.service.dispatcher()
    dispatcher._work._auditor._open = Replacing
    made.run("one")
    with made.work_with(dispatcher):
        assert made.finished("one").findtext("completionStatus") == "Warning"
    path = tmp_path / "audit/trail.db"
    assert _rows(path, "SELECT completion FROM crossdock_audit_file") == [("Warning",), ("Warning",)]
    assert _rows(path, "SELECT warnings FROM crossdock_audit_job") == [(2,)]


def test_a_job_that_was_stopped_has_its_record_later_45(hub, transaction, tmp_path):
    """A queued job that is cancelled never ran in a worker; the task writes its record."""
    made = hub(transaction("one"), diplomat=DIPLOMAT).log_in()
    made.run("one")
    assert made.call("cancel", ("transactionName", "one")).status == 200
    assert _summary(made, "one") == "Audit record: not written"
    assert _later(made)
    assert _rows(tmp_path / "audit/trail.db", "SELECT completion FROM crossdock_audit_job") == [("Cancelled",)]
    assert _summary(made, "one") == "Audit record: written"


def test_a_job_that_a_purge_has_deleted_meanwhile_holds_up_no_other_45(hub, transaction, tmp_path):
    """Another worker writes the records and they are purged while this one has only read which jobs lack theirs."""
    made = hub(transaction("one"), transaction("two"), diplomat=DIPLOMAT).log_in()
    for name in ("one", "one", "one", "two"):
        made.run(name)
        assert made.call("cancel", ("transactionName", name)).status == 200
    database = made.service.database
    trail = made.service.follower.current.audit

    def other_worker():
        if database.query(audits.count):
            assert write_pending(made.service.operations.writer, Auditor(database, lambda: trail))
            assert purging.purge(database, clock.now_ms(), age=None, newest=1) == 2
        return trail

    assert write_pending(made.service.operations.writer, Auditor(database, other_worker))
    names = _rows(tmp_path / "audit/trail.db", "SELECT transaction_name FROM crossdock_audit_job ORDER BY 1")
    assert names == [("one",), ("one",), ("one",), ("two",)]


def test_records_are_written_to_postgresql_45(hub, transaction, tmp_path, postgresql_url):
    """Any URL of SQLAlchemy whose driver is there will do; a relative name of a driver is completed."""
    made = hub(transaction("one", delete_source=True), diplomat={"audit": {"url": postgresql_url}}).log_in()
    (tmp_path / "from/a.txt").write_text("a")
    assert _ended(made, "one") == "Successful"
    engine = sa.create_engine(sa.make_url(postgresql_url).set(drivername="postgresql+psycopg"))
    with engine.connect() as connection:
        rows = connection.execute(sa.text("SELECT source, completion FROM crossdock_audit_file")).all()
        assert [tuple(row) for row in rows] == [("a.txt", "Successful")]
    engine.dispose()


def test_a_hanging_database_holds_up_no_other_job_e8(hub, transaction, tmp_path, postgresql_url):
    """A job that waits for the audit database can be terminated, and others end meanwhile."""
    one = transaction("one", delete_source=True)
    other = transaction("two", source={"url": "file:from2"}, audit={"record": False})
    (tmp_path / "from2").mkdir()
    (tmp_path / "from2/b.txt").write_text("b")
    made = hub(one, other, diplomat={"audit": {"url": postgresql_url}}).log_in()
    (tmp_path / "from/a.txt").write_text("a")
    url = sa.make_url(postgresql_url).set(drivername="postgresql+psycopg")
    AuditDatabase(AuditTrail(url=url.render_as_string(hide_password=False))).write(
        {**JOB, "transfer_id": "T0"}, [], _never
    )
    engine = sa.create_engine(url)
    with engine.connect() as blocker:
        blocker.execute(sa.text("LOCK TABLE crossdock_audit_job IN ACCESS EXCLUSIVE MODE"))
        made.run("one")
        with made.work():
            wait_until((tmp_path / "to/a.txt").exists, within=10, what="the file is delivered")
            made.run("two")
            assert made.finished("two").findtext("completionStatus") == "Successful"
            assert made.status("one").find("jobHistory").findtext("status") == "Running"
            assert made.call("terminate", ("transactionName", "one")).status == 200
            assert made.finished("one", within=2.0).findtext("completionStatus") == "Terminated"
        assert (tmp_path / "from/a.txt").exists()
    engine.dispose()
    assert _later(made)


def test_a_database_that_hangs_has_a_time_limit_e31(postgresql_url):
    """The write ends with a reason, and later ones succeed where the database answers again."""
    url = sa.make_url(postgresql_url).set(drivername="postgresql+psycopg")
    audited = AuditDatabase(AuditTrail(url=url.render_as_string(hide_password=False)), within=0.5)

    def written(transfer_id):
        try:
            audited.write({**JOB, "transfer_id": transfer_id}, [FILE] if transfer_id == "T1" else [], _never)
        except AuditFailed:
            return False
        return True

    wait_until(lambda: written("T1"), what="the first record")
    engine = sa.create_engine(url)
    with engine.connect() as blocker:
        blocker.execute(sa.text("LOCK TABLE crossdock_audit_job IN ACCESS EXCLUSIVE MODE"))
        for _ in range(9):
            with pytest.raises(AuditFailed, match="did not answer within"):
                audited.write({**JOB, "transfer_id": "T2"}, [], _never)

    wait_until(lambda: written("T2"), within=10, what="the database answers again")
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM crossdock_audit_job")).scalar() == 2
    engine.dispose()


def test_records_that_are_written_again_are_there_once_e24(tmp_path):
    """The same record changes nothing; one that differs replaces the former."""
    audited = AuditDatabase(AuditTrail(url=f"sqlite:///{tmp_path}/trail.db"))
    other = {**FILE, "place": 1}
    audited.write(JOB, [FILE], _never)
    audited.write(JOB, [FILE, other], _never)
    audited.write({**JOB, "completion": "Warning"}, [{**FILE, "completion": "Warning"}, other], _never)
    assert _rows(tmp_path / "trail.db", "SELECT completion FROM crossdock_audit_job") == [("Warning",)]
    files = _rows(tmp_path / "trail.db", "SELECT place, completion FROM crossdock_audit_file ORDER BY place")
    assert files == [(0, "Warning"), (1, "Successful")]


@pytest.mark.parametrize("later", [{"attempt": 2}, {"ended_at": "2026-03-04T17:45:03.001Z"}], ids=["attempt", "end"])
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_write_that_lands_late_replaces_no_later_record_e31(request, tmp_path, kind, later):
    """A write that was left behind is carried out after that of a later state: job and files stay as they are."""
    url = f"sqlite:///{tmp_path}/trail.db"
    if kind == "postgresql":
        url = request.getfixturevalue("postgresql_url").replace("postgresql://", "postgresql+psycopg://")
    audited = AuditDatabase(AuditTrail(url=url))
    audited.write({**JOB, "completion": "Warning", **later}, [{**FILE, "completion": "Warning"}], _never)
    audited.write(JOB, [FILE, {**FILE, "place": 1}], _never)
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        for table in ("crossdock_audit_job", "crossdock_audit_file"):
            assert connection.execute(sa.text(f"SELECT completion FROM {table}")).scalars().all() == ["Warning"]
    engine.dispose()


def test_the_states_of_a_job_are_ordered_also_where_the_clock_steps_back_e31(hub, transaction, tmp_path):
    """The end that the second write records is later than that of the first, although the clock was set back."""
    now = [2_000_000_000_000]
    made = hub(transaction("one", delete_source=True), diplomat=DIPLOMAT, clock=lambda: now[0]).log_in()
    source = tmp_path / "from/a.txt"
    source.write_text("a")

    class SetBack(AuditDatabase):
        """Sets the clock back after the first write, and replaces the source, which cannot be deleted then."""

        def write(self, job, files, is_stopped):
            super().write(job, files, is_stopped)
            now[0] -= 1_000
            if source.is_file():
                source.unlink()
                source.mkdir()

    dispatcher = made.service.dispatcher()
    dispatcher._work._auditor._open = SetBack
    made.run("one")
    with made.work_with(dispatcher):
        assert made.finished("one").findtext("completionStatus") == "Warning"
    assert _rows(tmp_path / "audit/trail.db", "SELECT completion FROM crossdock_audit_job") == [("Warning",)]


def test_a_second_write_that_fails_says_what_became_of_the_sources_76(hub, transaction, tmp_path):
    """The first record was written and sources were deleted: the reason does not say that they stay."""
    section = {**DIPLOMAT["audit"], "critical": True}
    made = hub(transaction("one", delete_source=True), diplomat={"audit": section}).log_in()
    for name in ("a.txt", "b.txt"):
        (tmp_path / "from" / name).write_text(name)
    kept = tmp_path / "from/b.txt"
    writes = []

    class FailingLater(AuditDatabase):
        """Fails from the second write on; the first replaces a source, which cannot be deleted then."""

        def write(self, job, files, is_stopped):
            if writes:
                raise AuditFailed("the audit database failed (TEST)")
            super().write(job, files, is_stopped)
            writes.append(job)
            kept.unlink()
            kept.mkdir()

    dispatcher = made.service.dispatcher()
    dispatcher._work._auditor._open = FailingLater
    made.run("one")
    with made.work_with(dispatcher):
        assert made.finished("one").findtext("completionStatus") == "Critical"
    assert not (tmp_path / "from/a.txt").exists()
    texts = [row.text for row in made.rows("SELECT text FROM job_log")]
    assert not any("the sources stay" in text for text in texts)
    assert any("no further one is deleted" in text for text in texts)
    assert any("The audit record was not updated: the audit database failed (TEST)." in text for text in texts)


def test_a_file_that_was_deleted_is_made_again_e31(tmp_path):
    """No record goes into a file that has no name any more."""
    audited = AuditDatabase(AuditTrail(url=f"sqlite:///{tmp_path}/trail.db"))
    audited.write(JOB, [], _never)
    (tmp_path / "trail.db").unlink()
    audited.write({**JOB, "transfer_id": "T2"}, [], _never)
    assert _rows(tmp_path / "trail.db", "SELECT transfer_id FROM crossdock_audit_job") == [("T2",)]


def test_a_file_that_may_only_be_read_is_a_failure_e31(tmp_path):
    """The reason is the kind of error."""
    path = tmp_path / "trail.db"
    AuditDatabase(AuditTrail(url=f"sqlite:///{path}")).write(JOB, [], _never)
    audited = AuditDatabase(AuditTrail(url=f"sqlite:///file:{path}?mode=ro&uri=true"))
    with pytest.raises(AuditFailed, match=r"^the audit database failed \(SQLITE_READONLY\)$"):
        audited.write({**JOB, "transfer_id": "T2"}, [], _never)


def test_a_full_disk_is_a_failure_and_the_file_stays_whole_e31(tmp_path):
    """The records of before are there still, and the next record is written once there is room."""
    program = textwrap.dedent("""
        import os, sqlite3, sys
        from diplomat_svc.domain.transactions import AuditTrail
        from diplomat_svc.errors import AuditFailed
        from diplomat_svc.store.audit_database import AuditDatabase
        folder = sys.argv[1]
        audited = AuditDatabase(AuditTrail(url=f"sqlite:///{folder}/trail.db"))
        job = {"transfer_id": "T1", "completion": "Successful", "attempt": 1, "ended_at": "2026"}
        audited.write(job, [], lambda: False)
        with open(f"{folder}/filler", "wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(bytes(4096))
            except OSError:
                pass
        try:
            audited.write({**job, "transfer_id": "T2"}, [], lambda: False)
        except AuditFailed as error:
            print(error)
        os.unlink(f"{folder}/filler")
        audited.write({**job, "transfer_id": "T3"}, [], lambda: False)
        rows = sqlite3.connect(f"{folder}/trail.db").execute("SELECT transfer_id FROM crossdock_audit_job ORDER BY 1")
        print([row[0] for row in rows])
    """)
    result = run_on_small_disk([sys.executable, "-c", program, tmp_path / "small"], tmp_path / "small", mebibytes=1)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == ["the audit database failed (SQLITE_FULL)", "['T1', 'T3']"]


def test_the_password_is_stored_by_reference_alone_e31(hub, transaction, tmp_path, postgresql_url):
    """No row of the service holds it, and no repr of the configuration shows it."""
    password = secret("password-of-audit")
    section = {"url": postgresql_url, "password": {"env": "AUDIT_PASSWORD"}}
    made = hub(transaction("one"), diplomat={"audit": section}, environ={"AUDIT_PASSWORD": password}).log_in()
    assert _ended(made, "one") == "File(s) not Found"
    assert password not in repr(made.service.configuration)
    assert sa.make_url(made.service.configuration.audit.url).password == password
    document = made.rows("SELECT document FROM applied_configuration")[0][0]
    assert "AUDIT_PASSWORD" in document
    assert password not in document
