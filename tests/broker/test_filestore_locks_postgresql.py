"""Transactions of several replicas over PostgreSQL take their locks in one order, and never wait in a circle."""

import functools
import random
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from filestore_svc.domain.client_transfers import Outcome
from filestore_svc.operations.transfer_records import CompletedDownload, RecordQueue, TransferRecord
from filestore_svc.store import files, quotas, staged_blobs, transfers
from filestore_svc.store.files import Read
from filestore_svc.store.tables import open_transfers, reservations
from mft_common import clock
from mft_common.database import advisory_lock
from tests.servers.processes import wait_until
from tests.service.filestore_svc.filestore_lab import ALL, Lab, form, identity_of
from tests.service.filestore_svc.test_resumable_uploads import TUS, location, patch


@pytest.fixture
def make(postgresql_url, tmp_path):
    """Return a function that builds one more replica over the same database and folder, with a quota."""
    made = []

    def build(quota="100MiB", **options):
        folders = {"/in": {"access": {"part1": ALL}, "quota": quota, "retention": {"after_put": "1h"}}}
        made.append(Lab(tmp_path, database_url=postgresql_url, folders=folders, **options))
        return made[-1]

    yield build
    for each in made:
        each.close()


def test_replicas_that_mark_the_same_files_read(make):
    """Each batch updates rows in the order of their ids, whatever the order in which its downloads ended (S28)."""
    replicas = [make(), make()]
    ids = [replicas[0].put(f"/2.0/files/in/{number}").json["fileset"] for number in range(40)]

    def mark(seed):
        order = random.Random(seed).sample(ids, len(ids))
        for _ in range(25):
            reads = [Read(fileset, 1000, 0) for fileset in order]
            with replicas[seed % 2].service.database.write() as connection:
                files.mark_read(connection, reads)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(mark, range(6)))


class _Slow:
    """A body of which the last byte comes after `wait()`."""

    def __init__(self, body, wait):
        self.rest, self.wait = [body[:-1], body[-1:]], wait

    def read(self, _size):
        if len(self.rest) == 1:
            self.wait()
        return self.rest.pop(0) if self.rest else b""


def _put_slowly(lab, size=10, wait=None):
    """Store a file whose upload lasts ten minutes by the clock of its replica."""
    body = _Slow(form(b"x" * size), wait or (lambda: lab.later(hours=1 / 6)))
    kind = {"CONTENT_TYPE": "multipart/form-data; boundary=XbX", "CONTENT_LENGTH": ""}
    environ = {"wsgi.input": body, "wsgi.input_terminated": True, **kind}
    return lab.call("PUT", "/2.0/files/in/slow", environ=environ).status_code == 201


def _replace(lab):
    return lab.put("/2.0/files/in/a", b"new").status_code == 201


def _delete(lab):
    return lab.call("DELETE", "/2.0/files/in/a").status_code == 200


def _expire(lab):
    lab.later(hours=2)
    return lab.service.sweeping.expired() == 1


def _terminate(lab):
    return lab.call("DELETE", lab.where, headers=TUS).status_code == 204


def _complete(lab):
    return "Fileset" in patch(lab, lab.where, 0, b"0123456789").headers


def _expire_upload(lab):
    lab.later(hours=25)
    return lab.service.resuming.expire() == 1


def _reserve_for_nobody(lab):
    """Leave the reservation of an upload whose process is gone."""
    with lab.service.database.write() as connection:
        values = {"id": "1", "folder": "/in", "bytes": 5, "process": "gone", "lease_until": 1}
        connection.execute(sa.insert(reservations).values(**values))


def _release_dead(lab):
    _reserve_for_nobody(lab)
    return lab.service.uploads.quotas.release_dead() == 1


def _record(lab):
    """Commit in one batch the record of a download, and that of an upload that was cut off with a reservation."""
    _reserve_for_nobody(lab)
    service = lab.service
    queue = RecordQueue(service.sweeping._commits, clock.now_ms)
    with service.database.read() as connection:
        _, file = files.by_fileset(connection, lab.fileset, 0)
    downloads = (CompletedDownload(file, 1_000, 0), None)
    works = (None, functools.partial(quotas.release, identifier="1"))
    for download, work in zip(downloads, works, strict=True):
        transfer = service.recorder.describe(identity_of("part1"), "part1", upload=False, source="/in/a")
        queue.add(TransferRecord(transfer, Outcome(reason="cut"), download, work))
    queue.flush()
    return not len(queue)


@pytest.mark.parametrize(
    "operate", [_put_slowly, _replace, _delete, _expire, _terminate, _complete, _expire_upload, _release_dead, _record]
)
def test_the_lock_of_the_quotas_comes_first(make, operate):
    """A transaction that waits for the lock of the quotas has locked and changed no row yet."""
    lab, other = make(), make()
    lab.fileset = lab.put("/2.0/files/in/a").json["fileset"]
    lab.where = location(lab, "/in/b")
    waiting = "SELECT backend_xid FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'"
    with ThreadPoolExecutor(1) as pool:
        with other.service.database.write() as connection, other.service.database.read() as look:
            advisory_lock(connection, "filestore-svc quotas")
            done = pool.submit(operate, lab)
            xids = wait_until(lambda: look.exec_driver_sql(waiting).all(), within=20, what="a transaction that waits")
        assert done.result(20)
    assert [row[0] for row in xids] == [None]


def test_a_slow_upload_keeps_what_it_has_reserved(make):
    """Other replicas see from its lease that it lives, however long nothing more is reserved."""
    lab, other = make(), make()
    seen = []

    def lease():
        with lab.service.database.read() as connection:
            return connection.execute(sa.select(reservations.c.lease_until)).scalar_one()

    def wait():
        for _ in range(2):
            for replica in (lab, other):
                replica.later(hours=20 / 3600)
            now = clock.now_ms() + lab.ahead
            wait_until(lambda now=now: lease() > now + 20_000, what="a renewed lease")
        seen.append(other.service.uploads.quotas.release_dead())

    assert _put_slowly(lab, 3 << 20, wait)
    assert seen == [0]


def test_leases_are_renewed_in_the_order_in_which_commits_lock_rows(make):
    """A renewal that waits for the registration of a blob holds no transfer, which the commit of the blob ends last."""
    lab, other, free = make(quota=None, own_leases=False), make(quota=None, own_leases=False), []
    waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    keep, ended = lab.service.uploads.blobs.keep, sa.select(open_transfers.c.transfer_id).with_for_update

    def open_ones():
        with other.service.database.read() as connection:
            return transfers.all_open(connection)

    def commit_meanwhile(staging):
        wait_until(open_ones, what="an announced transfer")
        with other.service.database.write() as connection, other.service.database.read() as look:
            staged_blobs.remove(connection, staging.fileset)
            lab.later(hours=1 / 60)
            wait_until(lambda: look.exec_driver_sql(waiting).all(), within=20, what="a renewal that waits")
            free.extend(connection.execute(ended(skip_locked=True)).scalars())
            connection.rollback()
        keep(staging)

    lab.service.uploads.blobs.keep = commit_meanwhile
    assert _put_slowly(lab)
    assert len(free) == 1


@pytest.mark.parametrize("hours", [1, -1])
@pytest.mark.parametrize("who", ["other", "own"])
def test_a_clock_that_jumps_ends_no_upload_of_a_process_that_lives(make, who, hours):
    """Leases are measured by the database's clock: neither another replica's clock nor the upload's own matters."""
    lab, other = make(own_leases=False), make(own_leases=False)
    seen = []

    def rows():
        with lab.service.database.read() as connection:
            opened = [each.lease_until for each in transfers.all_open(connection)]
            return opened + [lease for _, _, lease in quotas.owned.all(connection)]

    def jump():
        before = wait_until(lambda: found if len(found := rows()) == 2 else None, what="an announced transfer")
        (other if who == "other" else lab).later(hours=hours)
        if who == "own":
            # It goes on renewing.
            wait_until(lambda: min(rows()) > max(before), within=30, what="a renewed lease")
        seen.append((other.service.uploads.quotas.release_dead(), other.service.recorder.end_dead()))

    assert _put_slowly(lab, 3 << 20, jump)
    assert seen == [(0, 0)]
    assert [event["state"] for event in lab.events("transfer.ended.v1")] == ["successful"]


def test_the_work_of_a_process_whose_lease_lapsed_is_ended_once(make):
    """Once the lease is over by the database's clock, any replica ends the work, and the late process adds no end."""
    lab, other = make(own_leases=False), make(own_leases=False)
    seen = []

    def lapse():
        wait_until(lambda: _open_transfers(lab), what="an announced transfer")
        with other.service.database.write() as connection:
            # In the order in which a renewal locks them.
            for table in (reservations, open_transfers):
                connection.execute(sa.update(table).values(lease_until=1))
        seen.append((other.service.uploads.quotas.release_dead(), other.service.recorder.end_dead()))
        seen.append(_open_transfers(lab))

    assert _put_slowly(lab, 3 << 20, lapse)
    assert seen == [(1, 1), []]
    assert [event["state"] for event in lab.events("transfer.ended.v1")] == ["failed"]


def _open_transfers(lab):
    with lab.service.database.read() as connection:
        return list(transfers.all_open(connection))
