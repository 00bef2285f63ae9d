"""The log of pieces of work, its views and its purge, on both kinds of database."""

import threading

import pytest
import sqlalchemy as sa

from mft_common.errors import Unavailable
from mft_common.joblog import JobLog, Retention, Views, create_tables, drop_tables, purge, purge_task
from tests.servers.databases import Op, with_tables
from tests.servers.processes import wait_until

METADATA = sa.MetaData()
LOG = JobLog(METADATA)
ACTIVE = sa.Table("active_things", METADATA, sa.Column("subject", sa.String(128), primary_key=True))
ACTIVE_SUBJECTS = sa.select(ACTIVE.c.subject)
HOUR_MS = 3_600_000


@pytest.fixture
def database(database_url):
    """A database with the tables as a migration makes them."""
    with with_tables(database_url, METADATA, create_tables, ACTIVE) as made:
        yield made


def render(record):
    """Return a record in two lines, as a service does."""
    at, severity, text, dropped, _ = record
    return f">{severity} {at}\n{f'{dropped} dropped' if dropped else text}"


@pytest.fixture
def views(database, tmp_path):
    return Views(database, LOG, tmp_path / "views", render, most=3)


def append(database, subject, *texts, at=1000, severity="Informational"):
    with database.write() as connection:
        LOG.append(connection, subject, at, severity, *texts)


def texts_of(database, subject):
    with database.read() as connection:
        pages = LOG.pages(connection, subject, last_id=LOG.last_id(connection, subject) or 0, size=3)
        return [f"{dropped} dropped" if dropped else text for page in pages for _, _, text, dropped, _ in page]


def whole(views, owner, view):
    """Return all lines of a view, read buffer by buffer."""
    lines = []
    while len(lines) < view.lines:
        buffer = views.buffer(owner, view.id, len(lines))
        assert buffer.first_line == len(lines)
        lines += buffer.lines
    return lines


def files(tmp_path):
    return sorted(path.name for path in (tmp_path / "views").iterdir())


def test_records_come_back_in_their_order_and_belong_to_their_subject(database):
    """Pages are read one after another, and texts of any characters are stored."""
    append(database, "job 1", *(f"record {number}" for number in range(7)))
    append(database, "job 2", "nul \0, half \ud800, ü")
    assert texts_of(database, "job 1") == [f"record {number}" for number in range(7)]
    assert texts_of(database, "job 2") == ["nul \\x00, half \\ud800, ü"]
    assert texts_of(database, "job 3") == []


def test_a_record_is_part_of_the_transaction_that_writes_it(database):
    """A change that is rolled back leaves no record of itself."""

    def fail():
        with database.write() as connection:
            LOG.append(connection, "job", 1, "Error", "never happened")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert texts_of(database, "job") == []


@pytest.mark.parametrize("buffer_lines", [1, 2, 7, 40, 41])
def test_a_view_holds_every_line_in_aligned_buffers(database, views, buffer_lines):
    """Lines outside give the first or the last buffer, and no other record is in it (E40)."""
    append(database, "job", *(f"record {number}" for number in range(20)))
    append(database, "other", "of another job")
    view = views.create("s", "job", buffer_lines=buffer_lines)
    expected = [line for number in range(20) for line in (">Informational 1000", f"record {number}")]
    assert (view.lines, view.buffer_lines) == (40, buffer_lines)
    assert whole(views, "s", view) == expected
    last = (view.lines - 1) // buffer_lines
    assert views.buffer("s", view.id, -(10**30)).number == 0
    assert views.buffer("s", view.id, 10**30).number == last
    assert views.buffer("s", view.id, 39).lines == expected[last * buffer_lines :]


def test_a_view_is_frozen(database, views):
    """Records that are written after it was made are in the next view only."""
    append(database, "job", "before")
    view = views.create("s", "job")
    append(database, "job", "after")
    assert whole(views, "s", view) == [">Informational 1000", "before"]
    assert views.create("s", "job").lines == 4


def test_a_search_keeps_whole_records_and_no_hit_makes_no_view(database, views, tmp_path):
    """The header is searched too, letters count as they are, and patterns mean nothing."""
    append(database, "job", "100% of a.txt", "1000 of b.txt")
    append(database, "job", "lost", severity="Error")
    assert whole(views, "s", views.create("s", "job", contains="100%")) == [">Informational 1000", "100% of a.txt"]
    assert whole(views, "s", views.create("s", "job", contains=">Err")) == [">Error 1000", "lost"]
    count = len(files(tmp_path))
    assert [views.create("s", "job", contains=text) for text in ("LOST", "100_ of", "none")] == [None, None, None]
    assert views.create("s", "another job") is None
    assert len(files(tmp_path)) == count


def test_a_view_is_its_owners_alone(database, views):
    """Another session neither reads nor removes it."""
    append(database, "job", "text")
    view = views.create("s", "job")
    assert views.buffer("t", view.id, 0) is None
    assert views.find("t", view.id) is None
    assert not views.remove("t", view.id)
    assert views.find("s", view.id) == view


def test_a_removed_view_leaves_no_file(database, views, tmp_path):
    """Its disk space is free at once, and it cannot be read or removed again."""
    append(database, "job", "text")
    view = views.create("s", "job")
    assert views.remove("s", view.id)
    assert files(tmp_path) == []
    assert views.buffer("s", view.id, 0) is None
    assert not views.remove("s", view.id)


def test_the_oldest_view_of_an_owner_goes_when_there_would_be_too_many(database, views, tmp_path):
    """Views of others are not counted."""
    append(database, "job", "text")
    other = views.create("t", "job")
    made = [views.create("s", "job") for _ in range(5)]
    assert [views.find("s", view.id) is not None for view in made] == [False, False, True, True, True]
    assert views.find("t", other.id) is not None
    assert len(files(tmp_path)) == 4


def test_the_views_of_a_session_end_with_it(database, views, tmp_path):
    """The event's handler removes them in its own transaction."""
    append(database, "job", "text")
    kept, gone = views.create("t", "job"), views.create("s", "job")
    with database.write() as connection:
        views.remove_of(connection, "s")
    assert (views.find("s", gone.id), views.find("t", kept.id)) == (None, kept)
    assert len(files(tmp_path)) == 1


def test_a_view_whose_file_is_gone_or_damaged_is_built_again(database, views, tmp_path):
    """Another replica has no such file, and a power cut may leave one of zeros or a short one."""
    append(database, "job", *(f"record {number}" for number in range(20)))
    view = views.create("s", "job", buffer_lines=7)
    append(database, "job", "later")
    lines = whole(views, "s", view)
    elsewhere = Views(database, LOG, tmp_path / "elsewhere", render)
    assert whole(elsewhere, "s", view) == lines
    (path,) = (tmp_path / "views").iterdir()
    size = path.stat().st_size
    for damaged in (b"", b"\0" * size, b"x" * 30 + path.read_bytes()[30:], path.read_bytes()[:-1]):
        path.write_bytes(damaged)
        assert whole(views, "s", view) == lines


def test_a_view_that_cannot_be_the_same_any_more_ends(database, views, tmp_path):
    """Records that vanished while the file did must not change what the view shows."""
    append(database, "job", "one", "two")
    view = views.create("s", "job")
    with database.write() as connection:
        LOG.remove(connection, ["job"])
    assert whole(views, "s", view) == [">Informational 1000", "one", ">Informational 1000", "two"]
    for path in (tmp_path / "views").iterdir():
        path.unlink()
    append(database, "job", "three")
    assert views.buffer("s", view.id, 0) is None
    assert views.find("s", view.id) is None


def test_a_folder_that_cannot_be_written_makes_no_view(database, tmp_path):
    """The caller learns that it may try later; no row is left."""
    (tmp_path / "views").write_text("a file where the folder should be")
    append(database, "job", "text")
    with pytest.raises(Unavailable):
        Views(database, LOG, tmp_path / "views", render).create("s", "job")
    with database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(LOG.views)).scalar_one() == 0


def test_a_sweep_removes_old_files_without_a_row_alone(database, views, tmp_path):
    """Files that a crash left are removed; open views and files that are being written stay."""
    import os

    append(database, "job", "text")
    view = views.create("s", "job")
    for name in ("orphan", "young.part"):
        (tmp_path / "views" / name).write_text("x")
    for path in (tmp_path / "views").iterdir():
        if path.name != "young.part":
            os.utime(path, (1, 1))
    assert views.sweep() == 1
    assert "young.part" in files(tmp_path)
    assert views.buffer("s", view.id, 0) is not None


def test_a_log_is_purged_whole_once_its_newest_record_is_old(database, views):
    """Logs of active subjects and of open views are spared, whatever their age."""
    for subject in ("old", "active", "viewed", "young"):
        append(database, subject, *(f"{subject} {number}" for number in range(3)), at=0)
    append(database, "young", "now", at=HOUR_MS)
    view = views.create("s", "viewed")
    with database.write() as connection:
        connection.execute(sa.insert(ACTIVE).values(subject="active"))
    assert purge(database, LOG, Retention(age=3600), ACTIVE_SUBJECTS, HOUR_MS) == 0
    assert purge(database, LOG, Retention(age=3600), ACTIVE_SUBJECTS, HOUR_MS + 1) == 3
    assert [len(texts_of(database, one)) for one in ("old", "active", "viewed", "young")] == [0, 3, 3, 4]
    views.remove("s", view.id)
    assert purge(database, LOG, Retention(age=3600), ACTIVE_SUBJECTS, HOUR_MS + 1) == 3
    assert texts_of(database, "viewed") == []


def test_a_long_log_loses_its_oldest_records_and_says_how_many(database, views):
    """A second purge adds its own to the same number; a log of the right length is left alone."""
    append(database, "long", *(f"record {number}" for number in range(10)))
    append(database, "short", *(f"record {number}" for number in range(4)))
    retention = Retention(count=4)
    assert purge(database, LOG, retention, ACTIVE_SUBJECTS, 0) == 6
    assert texts_of(database, "long") == ["7 dropped", "record 7", "record 8", "record 9"]
    assert purge(database, LOG, retention, ACTIVE_SUBJECTS, 0) == 0
    append(database, "long", "record 10", "record 11")
    view = views.create("s", "long")
    assert purge(database, LOG, retention, ACTIVE_SUBJECTS, 0) == 0
    views.remove("s", view.id)
    assert purge(database, LOG, retention, ACTIVE_SUBJECTS, 0) == 2
    assert texts_of(database, "long") == ["9 dropped", "record 9", "record 10", "record 11"]
    assert len(texts_of(database, "short")) == 4


def test_a_purge_works_in_batches(database):
    """Thousands of records and hundreds of subjects go in several transactions, all of them."""
    with database.write() as connection:
        LOG.append(connection, "long", 0, "Informational", *map(str, range(4500)))
        for number in range(250):
            LOG.append(connection, f"job {number}", 0, "Informational", *map(str, range(9)))
    assert purge(database, LOG, Retention(count=100), ACTIVE_SUBJECTS, 0) == 4400
    assert texts_of(database, "long")[:2] == ["4401 dropped", "4401"]
    assert purge(database, LOG, Retention(age=1), ACTIVE_SUBJECTS, 1001) == 250 * 9 + 100


def test_the_task_purges_after_its_first_pause_and_ends_when_it_is_told_to(database):
    """It reads the retention anew each time."""
    append(database, "old", "text", at=0)
    stop = threading.Event()
    wanted = [Retention()]
    task = purge_task(
        "purge", database, LOG, lambda: wanted[-1], ACTIVE_SUBJECTS, now=lambda: HOUR_MS, first=0.01, every=0.01
    )
    thread = threading.Thread(target=task.run, args=(stop,))
    thread.start()
    wanted.append(Retention(age=1))
    wait_until(lambda: texts_of(database, "old") == [], what="an empty log")
    stop.set()
    thread.join(60)
    assert not thread.is_alive()


def test_the_tables_can_be_dropped_again(database):
    """A migration's downgrade leaves nothing of them."""
    with database.write() as connection:
        drop_tables(Op(connection))
        assert sa.inspect(connection).get_table_names() == ["active_things"]


def test_many_writers_of_one_log_lose_no_record(database):
    """A worker and the requests to stop its job write at the same time."""

    def write(name):
        for number in range(20):
            append(database, "job", f"{name} {number}")

    threads = [threading.Thread(target=write, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = texts_of(database, "job")
    assert sorted(found) == sorted(f"{name} {number}" for name in "abc" for number in range(20))
    assert [text for text in found if text.startswith("a")] == [f"a {number}" for number in range(20)]


def is_held(database):
    """Return whether a reader keeps the database from forgetting former versions of its pages or rows."""
    with database.engine.connect() as connection:
        if database.dialect == "sqlite":
            return bool(connection.execute(sa.text("PRAGMA wal_checkpoint(TRUNCATE)")).one()[0])
        open_ones = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in tran%'"
        return connection.execute(sa.text(open_ones)).first() is not None


def test_a_log_that_is_read_slowly_holds_no_version_of_the_database(database):
    """A pager that shows the first lines for an hour does not let SQLite's log of changes grow meanwhile."""
    assert list(LOG.each(database, "7")) == []
    append(database, "7", *"abcde")
    append(database, "8", "other")
    reading = LOG.each(database, "7", size=2)
    found = [next(reading)]
    append(database, "7", "later")
    assert not is_held(database)
    found += reading
    assert [text for _, _, text, _, _ in found] == list("abcde")
    assert not is_held(database)
