"""S19, S29: the retention of files, the quotas of folders, and the largest file."""

import errno
import io
import threading

import pytest

from filestore_svc.domain.limits import Limits
from filestore_svc.store import quotas
from filestore_svc.store.disk import Disk
from filestore_svc.store.local_blobs import LocalBlobs
from tests.service.filestore_svc.filestore_lab import ALL, Lab, form
from tests.service.filestore_svc.test_resumable_uploads import TUS, create, location, patch

ACCESS = {"part1": ALL}
KIND = "multipart/form-data; boundary=XbX"


@pytest.fixture
def keeping(tmp_path):
    """Return a store whose folders have a retention."""
    folders = {
        "/put": {"access": ACCESS, "retention": {"after_put": "2h"}},
        "/put/sub": {},
        "/put/ever": {"retention": {}},
        "/get": {"access": ACCESS, "retention": {"after_get": "1h"}},
        "/both": {"access": ACCESS, "retention": {"after_put": "3h", "after_get": "1h"}},
    }
    made = Lab(tmp_path, folders=folders)
    yield made
    made.close()


@pytest.fixture
def full(tmp_path):
    """Return a store with a quota of 3 MiB for a folder, and of 1,000 bytes for a folder in it."""
    folders = {
        "/in": {"access": ACCESS, "quota": "3MiB"},
        "/in/sub": {"quota": 1000},
        "/inbox": {"access": ACCESS},
    }
    made = Lab(tmp_path, folders=folders)
    yield made
    made.close()


def _put(lab, path, size):
    return lab.call("PUT", f"/2.0/files{path}", data=form(b"x" * size), content_type=KIND)


def _used(lab):
    with lab.service.database.read() as connection:
        return dict(connection.execute(quotas.quotas.select()).all())


def test_expiry_after_put(keeping):
    """An expired file is invisible, in the folder with the retention and below, but not in one with its own."""
    for path in ("/put/a", "/put/sub/a", "/put/ever/a"):
        keeping.put(f"/2.0/files{path}")
    keeping.later(hours=1.9)
    assert keeping.get("/2.0/files/put/a").status_code == 200
    keeping.later(hours=0.2)
    assert [keeping.get(f"/2.0/files{path}").status_code for path in ("/put/a", "/put/sub/a", "/put/ever/a")] == [
        404,
        404,
        200,
    ]
    assert keeping.get("/2.0/directories/put?type=files").json["totalCount"] == "0"


def test_expiry_after_get(keeping):
    """The time begins with the first whole download, and the earlier of two expiries counts."""
    for folder in ("get", "both"):
        keeping.put(f"/2.0/files/{folder}/a")
    keeping.later(hours=2.5)
    assert keeping.get("/2.0/files/get/a").status_code == 200
    assert keeping.get("/2.0/files/both/a").status_code == 200
    keeping.service.recorder.flush()
    keeping.later(hours=0.6)
    assert keeping.get("/2.0/files/get/a").status_code == 200
    assert keeping.get("/2.0/files/both/a").status_code == 404
    keeping.service.recorder.flush()
    keeping.later(hours=0.5)
    assert keeping.get("/2.0/files/get/a").status_code == 404


def test_the_sweeper_removes_expired_files(keeping):
    """The row is removed once, with an event that tells the reason; the bytes a minute later."""
    fileset = keeping.put("/2.0/files/put/a", b"hello").json["fileset"]
    keeping.put("/2.0/files/put/ever/b")
    keeping.later(hours=3)
    assert (keeping.service.sweeping.expired(), keeping.service.sweeping.expired()) == (1, 0)
    deleted = keeping.events("file.deleted.v1")
    assert [(event["path"], event["fileset"], event["reason"]) for event in deleted] == [("/put/a", fileset, "expired")]
    assert deleted[0]["account"] == "system"
    keeping.later(hours=1)
    assert keeping.service.sweeping.delete_blobs() == 1
    assert len(keeping.blobs()) == 1


def test_a_name_is_free_once_its_file_has_expired(keeping):
    """An upload before the sweep finds no file to which a condition could apply."""
    keeping.put("/2.0/files/put/a", b"old")
    keeping.later(hours=3)
    assert keeping.put("/2.0/files/put/a", b"new", headers={"If-None-Match": "*"}).status_code == 201
    assert keeping.service.sweeping.expired() == 0
    assert keeping.get("/2.0/files/put/a").data == b"new"


def test_sorting_by_expiry(keeping):
    """Files that never expire sort lowest (D12, D15)."""
    keeping.put("/2.0/files/get/early")
    keeping.put("/2.0/files/get/never")
    keeping.put("/2.0/files/get/late")
    keeping.get("/2.0/files/get/early")
    keeping.service.recorder.flush()
    keeping.later(hours=0.5)
    keeping.get("/2.0/files/get/late")
    keeping.service.recorder.flush()
    for direction, names in (("asc", ["never", "early", "late"]), ("desc", ["late", "early", "never"])):
        listed = keeping.get(f"/2.0/directories/get?sort=expiry_date&direction={direction}").json["files"]
        assert [each["filename"] for each in listed] == names


def test_a_quota_can_be_used_to_its_last_byte(full):
    """A file that fits is stored, one byte more is 507, and a folder with a longer name does not count."""
    assert _put(full, "/in/a", 2 << 20).status_code == 201
    assert _put(full, "/in/b", (1 << 20) + 1).json["message"] == "Not enough space"
    assert _put(full, "/in/b", 1 << 20).status_code == 201
    answer = _put(full, "/in/c", 1)
    assert (answer.status_code, answer.json["errorType"]) == (507, "io")
    assert _put(full, "/inbox/a", 4 << 20).status_code == 201
    assert (len(full.blobs()), full.leftovers()) == (3, [])
    assert _used(full) == {"/in": 3 << 20, "/in/sub": 0}


def test_deleting_and_replacing_give_back(full):
    """A replaced file counts with its new content alone."""
    _put(full, "/in/a", 3 << 20)
    assert full.call("DELETE", "/2.0/files/in/a").status_code == 200
    assert _put(full, "/in/a", 2 << 20).status_code == 201
    assert _put(full, "/in/a", 1000).status_code == 201
    assert _used(full)["/in"] == 1000


def test_a_quota_inside_a_quota(full):
    """A file counts for both quotas, and the smaller one decides."""
    assert _put(full, "/in/sub/a", 1000).status_code == 201
    assert _put(full, "/in/sub/b", 1).status_code == 507
    assert _used(full) == {"/in": 1000, "/in/sub": 1000}


def test_bytes_in_flight_count(full):
    """Other uploads have the bytes that a large one leaves, and all of them once it is cut."""
    seen = []
    body = form(b"x" * (2 << 20))

    class Slow:
        def __init__(self):
            self.left = body[:-9]

        def read(self, size):
            if len(self.left) < 1000 and not seen:
                limits = Limits(quotas={"/in": 3 << 20})
                seen.append(_used(full)["/in"])
                with pytest.raises(quotas.NoSpace), full.service.database.write() as connection:
                    quotas.take(connection, limits.quotas_over("/in", "part1"), (1 << 20) + 500)
            block, self.left = self.left[:size], self.left[size:]
            return block

    environ = {"wsgi.input": Slow(), "CONTENT_LENGTH": str(len(body)), "CONTENT_TYPE": KIND}
    assert full.call("PUT", "/2.0/files/in/a", environ=environ).status_code == 400
    assert len(seen) == 1
    assert seen[0] >= (2 << 20) - 500
    full.service.recorder.flush()
    assert _used(full)["/in"] == 0


def test_a_resumable_upload_reserves_its_length(full):
    """The length is reserved at its creation and released when it is ended."""
    assert create(full, length=(3 << 20) + 1).status_code == 507
    where = location(full, length=3 << 20)
    assert _put(full, "/in/b", 1).status_code == 507
    assert full.call("DELETE", where, headers=TUS).status_code == 204
    assert _used(full)["/in"] == 0
    where = location(full, length=10)
    patch(full, where, 0, b"0123456789")
    assert _used(full)["/in"] == 10


def test_a_new_quota_counts_what_is_stored(full):
    """Files and resumable uploads from before the quota count."""
    _put(full, "/inbox/a", 700)
    location(full, "/inbox/b", length=10)
    full.close()
    full.document = {"http_mft": {**full.document["http_mft"], "folders": {"/inbox": {"access": ACCESS, "quota": 800}}}}
    full.open()
    assert _used(full) == {"/inbox": 700}
    assert _put(full, "/inbox/c", 101).status_code == 507
    assert _put(full, "/inbox/c", 100).status_code == 201


class MeetingStream(io.BytesIO):
    """A body whose end waits until as many other bodies have come as far."""

    def __init__(self, content, barrier):
        super().__init__(content)
        self.left, self.barrier = len(content), barrier

    def read(self, size=-1):
        """Read on, and wait before the last bytes are given out."""
        block = super().read(min(size, 1 << 20))
        self.left -= len(block)
        if block and not self.left:
            self.barrier.wait(60)
        return block


@pytest.mark.parametrize("chunked", [False, True])
def test_many_uploads_at_once_reserve_what_they_are(tmp_path, chunked):
    """Nine uploads of 2 MiB fit into 100 MiB at the same time, with a declared length and without."""
    lab = Lab(tmp_path, folders={"/in": {"access": ACCESS, "quota": "100MiB"}})
    barrier, statuses = threading.Barrier(9), []

    def send(number):
        content = form(b"x" * (2 << 20))
        environ = {"wsgi.input": MeetingStream(content, barrier), "CONTENT_TYPE": KIND}
        environ |= {"wsgi.input_terminated": True} if chunked else {"CONTENT_LENGTH": str(len(content))}
        statuses.append(lab.call("PUT", f"/2.0/files/in/{number}", environ=environ).status_code)

    threads = [threading.Thread(target=send, args=(number,)) for number in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [201] * 9
    assert _used(lab) == {"/in": 18 << 20}
    lab.close()


def test_reservations_of_dead_processes(full):
    """The next sweep releases them."""
    uploads = full.service.uploads
    uploads.commits.run(
        lambda connection: quotas.reserve(
            connection, "x", "/in", {"/in": 1 << 30}, size=1 << 20, process="0" * 32, lease_until=0
        )
    )
    uploads.quotas.reserving("mine", "/in")(5)
    assert uploads.quotas.release_dead() == 1
    assert _used(full)["/in"] == 5


@pytest.mark.parametrize(("size", "status"), [(1 << 20, 201), ((1 << 20) + 1, 413), (5 << 20, 413)])
def test_the_size_of_a_file(tmp_path, size, status):
    """A file of exactly the limit is stored; one byte more is 413, and nothing stays."""
    lab = Lab(tmp_path, max_file_size="1MiB")
    answer = _put(lab, "/in/a", size)
    assert answer.status_code == status
    assert (len(lab.blobs()), lab.leftovers()) == (int(status == 201), [])
    lab.close()


class FullDisk(Disk):
    """A disk that is full from the Nth call that needs room; `calls` counts those calls."""

    def __init__(self, good):
        self.good = good
        self.calls = 0

    def _room(self):
        self.calls += 1
        if self.calls > self.good:
            raise OSError(errno.ENOSPC, "No space left on device")

    def write(self, descriptor, block):
        self._room()
        return super().write(descriptor, block)

    def write_at(self, descriptor, block, position):
        self._room()
        return super().write_at(descriptor, block, position)

    def sync(self, descriptor):
        self._room()
        super().sync(descriptor)

    def sync_folder(self, folder):
        self._room()
        super().sync_folder(folder)


def _on(lab, disk):
    lab.service.uploads.blobs._disk = disk


@pytest.mark.parametrize(("size", "least"), [(4, 2), (1 << 20, 3), (5 << 20, 5)])
def test_a_disk_that_is_full_at_any_call(lab, size, least):
    """At each write and each fsync in turn: 507, the old file stays, nothing else is left, and later uploads work."""
    lab.put("/2.0/files/in/a", b"old")
    content = form(b"x" * size)
    for good in range(100):
        disk = FullDisk(good)
        _on(lab, disk)
        answer = lab.call("PUT", "/2.0/files/in/a", data=content, content_type=KIND)
        if answer.status_code == 201:
            break
        assert (answer.status_code, answer.json["message"]) == (507, "Not enough space")
        assert lab.get("/2.0/files/in/a").data == b"old"
        assert (lab.leftovers(), len(lab.blobs())) == ([], 1)
    assert good == disk.calls > least


def test_a_disk_that_is_full_under_a_resumable_upload(lab):
    """At any call: 507, and the upload goes on once there is room."""
    where = location(lab)
    for good in range(100):
        disk = FullDisk(good)
        _on(lab, disk)
        answer = patch(lab, where, 0, b"0123456789")
        if answer.status_code == 204:
            break
        assert answer.status_code == 507
        assert lab.get("/2.0/files/in/a.bin").status_code == 404
        assert lab.blobs() == []
    assert good == disk.calls > 2
    assert lab.get("/2.0/files/in/a.bin").data == b"0123456789"


def test_a_refusal_of_the_kernel(tmp_path):
    """EFBIG, from a limit of this process, is answered in the same way."""
    import resource

    blobs = LocalBlobs(tmp_path)
    staging = blobs.stage(1)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            staging.write(b"x" * (65 << 10))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    staging.discard()
    assert list((tmp_path / "staging").iterdir()) == []
