"""S1, S19: a body whose declared length is over a limit is refused unread, in the order of checks."""

import pytest

from filestore_svc.domain.files import Folder
from filestore_svc.domain.limits import NO_LIMITS
from filestore_svc.operations.quotas import Quotas
from filestore_svc.store.disk import Disk
from tests.service.filestore_svc.filestore_lab import ALL, Lab, form, identity_of
from tests.service.filestore_svc.test_resumable_uploads import TUS, _metadata, create
from tests.service.filestore_svc.vendor_words import (
    E_AUTH,
    E_CONF,
    E_NOFILE,
    E_SYN,
    E_W,
    ORIGIN,
    PRECONDITION,
    e_path,
    exists,
    refused,
)

KIND = "multipart/form-data; boundary=XbX"
TOO_LARGE = (413, "Request too large", "request_syntax")
FULL = (507, "Not enough space", "io")
MIB = 1 << 20
# As far above a limit as everything beside the file may take.
BESIDE = 2 * MIB


class Untouched:
    """A body that fails the test when it is read."""

    def read(self, *_size):
        """Fail."""
        raise AssertionError("the body was read")


class Room(Disk):
    """A disk with so many bytes of room."""

    def __init__(self, free):
        self._free = free

    def free(self, _folder):
        return self._free


@pytest.fixture(name="lab")
def lab_(tmp_path):
    """A store with a limit for files, and quotas below it and above it."""
    folders = {
        "/in": {"access": {"part1": ALL}},
        "/small": {"access": {"part1": ALL}, "quota": "3MiB"},
        "/small/tiny": {"quota": 1000},
        "/inbox": {"access": {"part1": ALL, "reader1": ["list", "read"]}},
    }
    made = Lab(tmp_path, folders=folders, max_file_size="8MiB", raw_put=True)
    yield made
    made.close()


def ask(lab, path, length, *, method="PUT", kind=KIND, account="part1", **more):
    """Send the head of an upload, with a body that must not be read."""
    environ = {"wsgi.input": Untouched(), "CONTENT_TYPE": kind, "CONTENT_LENGTH": str(length)}
    return lab.call(method, path, account, environ=environ, **more)


@pytest.mark.parametrize(
    ("method", "path", "kind", "most"),
    [
        ("PUT", "/2.0/files/in/a", "text/plain", 8 * MIB),
        ("PUT", "/2.0/files/in/a", KIND, 8 * MIB + BESIDE),
        ("POST", "/2.0/files/in", KIND, 8 * MIB + BESIDE),
        ("PUT", "/2.0/files/small/a", "text/plain", 3 * MIB),
        ("PUT", "/2.0/files/small/a", KIND, 3 * MIB + BESIDE),
        ("POST", "/2.0/files/small", KIND, 3 * MIB + BESIDE),
        ("PUT", "/2.0/files/small/tiny/a", "text/plain", 1000),
        ("POST", "/2.0/files/small/tiny", KIND, 1000 + BESIDE),
    ],
)
def test_a_file_that_cannot_fit(lab, method, path, kind, most):
    """It is refused unread, and is no transfer."""
    expected = FULL if "small" in path else TOO_LARGE
    answer = ask(lab, path, most + 1, method=method, kind=kind)
    assert refused(answer, timestamp=method == "PUT") == expected
    assert (lab.events(), lab.leftovers()) == ([], [])


@pytest.mark.parametrize(("path", "size"), [("/in/a", 8 * MIB), ("/small/a", 3 * MIB), ("/small/tiny/a", 1000)])
def test_a_file_that_just_fits(lab, path, size):
    """It is taken, bare or with all that stands beside it in a multipart body, and one byte more is not."""
    beside = b"--XbX\r\nContent-Disposition: form-data; name=other\r\n\r\n" + b"o" * MIB + b"\r\n"
    for more, status in ((1, (413, 507)), (0, (201,))):
        content = b"x" * (size + more)
        # An upload that failed amid its body gives back what it had reserved a moment later.
        lab.service.recorder.flush()
        assert lab.call("PUT", f"/2.0/files{path}", data=content, content_type="text/plain").status_code in status
        assert lab.call("DELETE", f"/2.0/files{path}").status_code == (404 if more else 200)
        assert (
            lab.call("PUT", f"/2.0/files{path}", data=beside + form(content), content_type=KIND).status_code in status
        )
    assert lab.get(f"/2.0/files{path}").data == content


def test_a_replaced_small_file_makes_room(lab):
    """In a full folder a small file may take the place of one as large, and of no smaller one; a large one may not."""
    for name, size in (("a", MIB), ("b", 2 * MIB - 10), ("c", 10)):
        content = {"data": b"x" * size, "content_type": "text/plain"}
        assert lab.call("PUT", f"/2.0/files/small/{name}", **content).status_code == 201
    assert lab.call("PUT", "/2.0/files/small/a", data=b"y" * MIB, content_type="text/plain").status_code == 201
    for name, size in (("c", 11), ("new", 1), ("b", 2 * MIB - 10)):
        assert refused(ask(lab, f"/2.0/files/small/{name}", size, kind="text/plain")) == FULL
    # Whoever does not tell the name before its body may replace any.
    data = form(b"y" * MIB).replace(b'filename="a"', b'filename="a"; x="y"')
    data = b"--XbX\r\nContent-Disposition: form-data; name=metadata\r\n\r\n{}\r\n" + data
    assert lab.call("POST", "/2.0/files/small", data=data, content_type=KIND).status_code == 201


def test_an_expired_file_makes_room(tmp_path):
    """A file out of sight counts until it is swept away, and gives its bytes back to a small one of its name."""
    folder = {"access": {"part1": ALL}, "quota": 1000, "retention": {"after_put": "1h"}}
    lab = Lab(tmp_path, folders={"/in": folder}, raw_put=True)
    kind = {"content_type": "text/plain"}
    assert lab.call("PUT", "/2.0/files/in/a", data=b"x" * 1000, **kind).status_code == 201
    lab.later(hours=2)
    assert refused(ask(lab, "/2.0/files/in/b", 1, kind="text/plain")) == FULL
    assert lab.call("PUT", "/2.0/files/in/a", data=b"y" * 1000, **kind).status_code == 201
    lab.close()


@pytest.mark.parametrize(
    ("path", "kind", "length", "status"),
    [
        ("/in/a", "text/plain", 5001, 507),
        ("/in/a", KIND, 5000 + BESIDE, 507),
        ("/in/a", "text/plain", 9 * MIB, 413),
        ("/in/a", "text/plain", 5000, 201),
    ],
)
def test_a_disk_without_room(lab, path, kind, length, status):
    """A body that the disk cannot hold is refused unread; one that fits is accepted."""
    lab.service.uploads.blobs._disk = Room(5000)
    if status != 201:
        assert ask(lab, f"/2.0/files{path}", length, kind=kind).status_code == status
        assert lab.events() == []
    else:
        assert lab.call("PUT", f"/2.0/files{path}", data=b"x" * length, content_type=kind).status_code == status


def test_a_disk_that_does_not_say(lab):
    """Then it shows as the bytes arrive."""
    lab.service.uploads.blobs._disk = Room(None)
    assert lab.call("PUT", "/2.0/files/in/a", data=b"x", content_type="text/plain").status_code == 201


def test_this_disk_says(tmp_path):
    """The system's own word for a folder of this machine."""
    assert Disk().free(tmp_path) > 0


HUGE = 100 * MIB
STEPS = [
    ({"account": None}, E_AUTH),
    ({"account": "nocontract"}, E_CONF),
    ({"headers": {"Origin": "http://elsewhere.test"}}, ORIGIN),
    ({"path": "/2.0/files/in"}, E_NOFILE),
    ({"kind": "multipart/form-data"}, E_SYN),
    ({"headers": {"Content-MD5": "?"}}, E_SYN),
    ({"path": "/2.0/files/inbox/a", "account": "reader1"}, E_W),
    ({"path": "/2.0/files/nosuch/a"}, e_path("nosuch")),
    ({"headers": {"If-Match": '"x"'}}, PRECONDITION),
    ({"headers": {"If-None-Match": "*"}}, PRECONDITION),
    ({"path": "/2.0/files/small/there"}, TOO_LARGE),
    ({"path": "/2.0/files/small/there", "length": 4 * MIB + BESIDE}, FULL),
]


@pytest.mark.parametrize("step", range(len(STEPS)))
def test_the_order_of_checks(lab, step):
    """Of several faults the earlier one is answered: the length comes after the preconditions and before the body."""
    for folder in ("in", "small"):
        lab.put(f"/2.0/files/{folder}/there")
    asked, expected = STEPS[step]
    asked = {"path": "/2.0/files/in/there", "length": HUGE, **asked}
    assert refused(ask(lab, asked.pop("path"), asked.pop("length"), **asked)) == expected


def test_a_name_that_is_taken_comes_before_its_length(tmp_path):
    """409 with `on_conflict: reject`, as the preconditions."""
    lab = Lab(tmp_path, on_conflict="reject", max_file_size=1000)
    lab.put("/2.0/files/in/a")
    assert refused(ask(lab, "/2.0/files/in/a", HUGE)) == exists("a")
    assert refused(ask(lab, "/2.0/files/in/b", HUGE)) == TOO_LARGE
    lab.close()


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"account": None}, E_AUTH),
        ({"account": "reader1", "path": "/inbox/a"}, E_W),
        ({"path": "/nosuch/a"}, e_path("nosuch")),
        ({"headers": {"If-Match": '"x"'}}, PRECONDITION),
        ({}, TOO_LARGE),
        ({"path": "/small/a", "length": 4 * MIB}, FULL),
        ({"length": 6 * MIB}, FULL),
    ],
)
def test_the_order_of_checks_of_an_upload_in_pieces(lab, asked, expected):
    """X1: as for PUT, by `Upload-Length`; 6 MiB are more than the disk has room for here."""
    lab.service.uploads.blobs._disk = Room(5 * MIB)
    assert refused(create(lab, **{"length": HUGE, **asked})) == expected
    assert lab.events() == []


def test_the_limit_of_an_upload_in_pieces_is_exact(lab):
    """X1: a file as large as the limit is begun."""
    headers = {**TUS, "Upload-Metadata": _metadata("/in/a")}
    for length, status in ((8 * MIB + 1, 413), (8 * MIB, 201)):
        sent = {**headers, "Upload-Length": str(length)}
        assert lab.call("POST", "/2.0/uploads", headers=sent).status_code == status


def test_the_internal_interface_as_well(lab):
    """The hub's own services tell the length of a file when they begin its upload."""
    who = identity_of("system", mechanism="none")
    for path, length, status in (("/in/a", 8 * MIB + 1, 413), ("/small/a", 3 * MIB + 1, 507)):
        headers = {"Upload-Length": str(length)}
        assert lab.call("POST", f"/internal/v1/uploads{path}", who=who, headers=headers).status_code == status


def test_without_limits_the_database_is_not_asked():
    """The check costs one question to the system, and none where the length shows nothing."""

    class Bucket:
        asked = 0

        def free(self):
            self.asked += 1

    bucket = Bucket()
    quotas = Quotas(None, bucket, None, NO_LIMITS)
    quotas.check(Folder(1, "/in", None), "part1", 1 << 40, "a")
    quotas.check(Folder(1, "/in", None), "part1", 0)
    assert bucket.asked == 1
