"""S19, S29: how long files live, how many bytes a tree of folders holds, and how large a file may be."""

import errno

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
    """A hub with retention."""
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
    """A hub with a quota of 3 MiB for a tree, and of 1,000 bytes for a folder in it."""
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
    """A file is out of sight when its time is over, in its folder and below, but not where a folder has its own."""
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
    """It starts with the first whole download, and the earlier of two ends counts."""
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


def test_the_sweeper_takes_what_has_expired(keeping):
    """The row goes with an event that says why, the bytes a minute later; it happens once."""
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
    """Whoever comes before the sweeper finds no file to meet conditions."""
    keeping.put("/2.0/files/put/a", b"old")
    keeping.later(hours=3)
    assert keeping.put("/2.0/files/put/a", b"new", headers={"If-None-Match": "*"}).status_code == 201
    assert keeping.service.sweeping.expired() == 0
    assert keeping.get("/2.0/files/put/a").data == b"new"


def test_sorting_by_expiry(keeping):
    """What never expires is lowest (D12, D15)."""
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


def test_a_quota_is_given_out_to_the_byte(full):
    """What fits is taken, what is one byte too much is 507, and a folder of a like name is another one."""
    assert _put(full, "/in/a", 2 << 20).status_code == 201
    assert _put(full, "/in/b", (1 << 20) + 1).json["message"] == "Not enough space"
    assert _put(full, "/in/b", 1 << 20).status_code == 201
    answer = _put(full, "/in/c", 1)
    assert (answer.status_code, answer.json["errorType"]) == (507, "io")
    assert _put(full, "/inbox/a", 4 << 20).status_code == 201
    assert (len(full.blobs()), full.leftovers()) == (3, [])
    assert _used(full) == {"/in": 3 << 20, "/in/sub": 0}


def test_deleting_and_replacing_give_back(full):
    """A name that is written anew counts with its new content alone."""
    _put(full, "/in/a", 3 << 20)
    assert full.call("DELETE", "/2.0/files/in/a").status_code == 200
    assert _put(full, "/in/a", 2 << 20).status_code == 201
    assert _put(full, "/in/a", 1000).status_code == 201
    assert _used(full)["/in"] == 1000


def test_a_quota_inside_a_quota(full):
    """A file counts for both, and the narrower one decides."""
    assert _put(full, "/in/sub/a", 1000).status_code == 201
    assert _put(full, "/in/sub/b", 1).status_code == 507
    assert _used(full) == {"/in": 1000, "/in/sub": 1000}


def test_bytes_in_flight_count(full):
    """While a large upload is on its way another one has what it leaves; when it is cut, it leaves all."""
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


def test_an_upload_in_pieces_has_its_bytes_from_the_start(full):
    """Its length is reserved when it is made, and given back when it is ended."""
    assert create(full, length=(3 << 20) + 1).status_code == 507
    where = location(full, length=3 << 20)
    assert _put(full, "/in/b", 1).status_code == 507
    assert full.call("DELETE", where, headers=TUS).status_code == 204
    assert _used(full)["/in"] == 0
    where = location(full, length=10)
    patch(full, where, 0, b"0123456789")
    assert _used(full)["/in"] == 10


def test_a_new_quota_begins_with_what_is_there(full):
    """Files and uploads in pieces from before count."""
    _put(full, "/inbox/a", 700)
    location(full, "/inbox/b", length=10)
    full.close()
    full.document = {"http_mft": {**full.document["http_mft"], "folders": {"/inbox": {"access": ACCESS, "quota": 800}}}}
    full.open()
    assert _used(full) == {"/inbox": 700}
    assert _put(full, "/inbox/c", 101).status_code == 507
    assert _put(full, "/inbox/c", 100).status_code == 201


def test_what_dead_processes_had_reserved(full):
    """It is given back by whoever sweeps next."""
    vault = full.service.operations.vault
    vault.commits.run(
        lambda connection: quotas.reserve(
            connection, "x", "/in", {"/in": 1 << 30}, size=1 << 20, process="0" * 32, lease_until=0
        )
    )
    vault.uploads.quotas.reserving("mine", "/in")(5)
    assert vault.uploads.quotas.release_dead() == 1
    assert _used(full)["/in"] == 5


@pytest.mark.parametrize(("size", "status"), [(1 << 20, 201), ((1 << 20) + 1, 413), (5 << 20, 413)])
def test_the_size_of_a_file(tmp_path, size, status):
    """The limit is met to the byte; beyond it is 413, and nothing stays."""
    lab = Lab(tmp_path, max_file_size="1MiB")
    answer = _put(lab, "/in/a", size)
    assert answer.status_code == status
    assert (len(lab.blobs()), lab.leftovers()) == (int(status == 201), [])
    lab.close()


class FullDisk(Disk):
    """A disk that is full from the Nth call on that needs room; `calls` counts them."""

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
    lab.service.operations.vault.uploads._blobs._disk = disk
    lab.service.resuming._blobs._disk = disk


@pytest.mark.parametrize(("size", "least"), [(4, 2), (1 << 20, 3), (5 << 20, 5)])
def test_a_disk_that_is_full_at_any_call(lab, size, least):
    """Each write and each fsync in turn: 507, the old file stays, and nothing else is left, until there is room."""
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


def test_a_disk_that_is_full_under_an_upload_in_pieces(lab):
    """507 at any call, and when there is room again the upload goes on."""
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


def test_a_file_system_that_is_really_full(tmp_path):
    """The kernel's own refusal is told the same way (EFBIG, from a limit of this process)."""
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
