"""S20: replaced and deleted bytes, orphans and abandoned uploads are cleared away, whatever fails with any of them."""

import time

import pytest
import sqlalchemy as sa

from filestore_svc.store.tables import folder_counts, resumables
from tests.servers.processes import wait_until
from tests.service.filestore_svc.filestore_lab import Lab
from tests.service.filestore_svc.test_resumable_uploads import create


@pytest.fixture
def second(lab, tmp_path):
    """A second worker over the same data."""
    made = Lab(tmp_path)
    yield made
    made.close()


def _blob(lab, fileset):
    return next(path for path in lab.blobs() if path.name == str(fileset))


def _obstruct(path):
    """Put a folder that is not empty in the place of a file: no unlink removes it."""
    path.unlink()
    (path / "sub").mkdir(parents=True)


def _clear(path):
    (path / "sub").rmdir()
    path.rmdir()


def test_a_blob_that_cannot_be_deleted_stops_no_other(lab):
    """The others go in the same round; the failed one waits longer after each failure, and goes once it can."""
    first, second = (lab.put(f"/2.0/files/in/{name}").json["fileset"] for name in "ab")
    for name in "ab":
        lab.put(f"/2.0/files/in/{name}", b"new")
    bad = _blob(lab, first)
    _obstruct(bad)
    assert lab.service.sweeping.delete_blobs(-1) == 1
    assert str(second) not in {path.name for path in lab.blobs()}
    _clear(bad)
    bad.write_bytes(b"hello")
    assert lab.service.sweeping.delete_blobs(-1) == 0
    lab.later(hours=0.1)
    assert lab.service.sweeping.delete_blobs(-1) == 1
    assert not bad.exists()


def test_an_orphan_whose_id_an_upload_gets_meanwhile_is_kept(stored):
    """A database of a backup gives out ids whose blobs are in the store: those of new uploads stay (S20)."""
    lab, names = stored, []
    blobs = lab.service.uploads.blobs
    for fileset in range(1, 6):
        staging = blobs.stage(fileset)
        staging.write(b"lost with the database")
        blobs.keep(staging)
    remove = blobs.remove

    def remove_slowly(fileset):
        remove(fileset)
        while len(names) < 4:
            names.append(lab.put(f"/2.0/files/in/{len(names)}", b"new").json["fileset"])

    blobs.remove = remove_slowly
    # The bucket counts in seconds.
    wait_until(lambda: time.time() > blobs.stored_at(5) + 1.1, what="blobs that are older than the uploads")
    assert lab.service.sweeping.orphans.step(0.0) == 2
    assert [lab.get(f"/2.0/files/in/{number}").data for number in range(4)] == [b"new"] * 4


def test_many_blobs_that_cannot_be_deleted_end_a_round_early(lab):
    """A store that refuses everything is not asked again for each of thousands of blobs in one round."""
    filesets = [lab.put(f"/2.0/files/in/{number}").json["fileset"] for number in range(12)]
    for number in range(12):
        lab.put(f"/2.0/files/in/{number}", b"new")
    for fileset in filesets[:11]:
        _obstruct(_blob(lab, fileset))
    rounds = [lab.service.sweeping.delete_blobs(-1) for _ in range(3)]
    assert rounds == [0, 1, 0]


def test_an_orphan_that_cannot_be_removed_stops_no_other(lab):
    """The others go in the same pass."""
    folder = _blob(lab, lab.put("/2.0/files/in/a").json["fileset"]).parent
    (folder / "4000" / "sub").mkdir(parents=True)
    (folder / "4001").write_bytes(b"x")
    assert lab.service.sweeping.orphans.step(-5) == 1
    assert not (folder / "4001").exists()


@pytest.mark.parametrize("age", [None, -5])
def test_staging_that_cannot_be_removed_stops_no_other(lab, age):
    """The others go in the same round."""
    staging = lab.settings.state / "staging"
    (staging / "a" / "sub").mkdir(parents=True)
    for name in ("0", "b"):
        (staging / name).write_bytes(b"x")
    assert lab.service.sweeping._blobs.clear_staging(age) == 2
    assert [path.name for path in lab.leftovers()] == ["a"]


def test_bytes_of_an_upload_that_cannot_be_dropped_stop_no_other(lab):
    """The bytes of other uploads that no row owns go in the same round."""
    partial = lab.settings.state / "partial"
    (partial / "0" / "sub").mkdir(parents=True)
    for name in ("1", "2"):
        (partial / name).write_bytes(b"x")
    assert lab.service.resuming.orphans(-5) == 2
    assert [path.name for path in partial.iterdir()] == ["0"]


def test_an_upload_that_cannot_be_ended_stops_no_other(lab):
    """Expired uploads end in the same round as one whose row cannot be read."""
    for path in ("/in/a", "/in/b"):
        assert create(lab, path).status_code == 201
    with lab.service.database.write() as connection:
        connection.execute(sa.update(resumables).where(resumables.c.path == "/in/a").values(head="{}"))
    lab.later(hours=25)
    assert lab.service.resuming.expire() == 1
    assert lab.service.resuming.expire() == 0
    assert [event["state"] for event in lab.events("transfer.ended.v1")] == ["cancelled"]


def test_a_step_that_fails_stops_no_other(lab):
    """A round of the sweeper goes on with its next step, and the next round begins with the first one again."""
    done = []
    sweeping = lab.service.sweeping

    def fail():
        done.append("failed")
        raise RuntimeError("bad")

    steps = {"first": fail, "second": lambda: done.append("second")}
    sweeping.round(steps.items())
    sweeping.round(steps.items())
    assert done == ["failed", "second", "failed", "second"]


def test_one_worker_looks_for_orphans_once_a_day(lab, second):
    """Of two workers one reads the page that is due, and nobody reads it again before the next day."""
    lab.put("/2.0/files/in/a")
    workers = [lab.service.sweeping.orphans, second.service.sweeping.orphans]
    assert [worker.step(-5) for worker in workers] == [0, None]
    for hours, expected in ((23.9, [None, None]), (0.2, [0, None])):
        for each in (lab, second):
            each.later(hours=hours)
        assert [worker.step(-5) for worker in reversed(workers)] == expected


def test_the_pages_of_a_large_store_are_spread_over_a_day(lab):
    """With 10 million files a page is read every 8.6 seconds; pages that are late by a moment are made up for."""
    sweeping = lab.service.sweeping
    with lab.service.database.write() as connection:
        connection.execute(sa.insert(folder_counts).values(folder_id=1, stripe=1, files=10_000_000, changes=0))
    assert [sweeping.orphans.step(-5) for _ in range(3)] == [0, 0, 0]
    taken = 0
    for _ in range(360):
        lab.later(hours=10 / 3600)
        while sweeping.orphans.step(-5) is not None:
            taken += 1
    assert 410 <= taken <= 425


def test_a_clock_that_was_ahead_delays_no_scan(lab):
    """A time that was set while the clock was a year ahead does not count once the clock is right."""
    lab.later(hours=24 * 365)
    assert lab.service.sweeping.orphans.step(-5) == 0
    lab.later(hours=-24 * 365)
    assert lab.service.sweeping.orphans.step(-5) == 0
    assert lab.service.sweeping.orphans.step(-5) is None


def test_a_stray_file_among_the_folders_of_blobs_stops_no_scan(lab):
    """Only folders are read, and in them only names that are ids."""
    lab.put("/2.0/files/in/a")
    folder = lab.blobs()[0].parent
    for place in (folder, folder.parent, folder.parent.parent):
        (place / "README").write_bytes(b"x")
    (folder / "4000").write_bytes(b"x")
    assert lab.service.sweeping.orphans.step(-5) == 1
    assert (folder / "README").exists()
