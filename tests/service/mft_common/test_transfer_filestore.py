"""The filestore endpoint, over a double that keeps to the internal interface and over filestore-svc itself."""

import contextlib
import hashlib
import os
import subprocess
import sys
import threading
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest

from filestore_svc.settings import Settings
from mft_common.endpoints.errors import (
    BadName,
    Changed,
    Denied,
    DiskFull,
    Exists,
    Interrupted,
    Mismatch,
    NotFound,
    Transient,
)
from mft_common.endpoints.files import FileEndpoint
from mft_common.endpoints.filestore import Filestore
from mft_common.endpoints.folders import Folder
from mft_common.endpoints.names import Patterns
from mft_common.identity import Signer
from mft_common.process.unix_server import UnixServer
from mft_common.transfer import Mover
from tests.servers.made_secrets import secret
from tests.servers.small_disk import on_small_disk
from tests.service.filestore_svc.filestore_lab import Lab
from tests.service.filestore_svc.test_completion import Gate
from tests.service.mft_common.filestore_doubles import FakeFilestore, RealFilestore

TOKEN = "0000000000000042"
TRANSFER = "414D5120514D312020202020202020203F0C71A200000017"
KEY = secret("key-of-transfers")


class Quiet(WSGIRequestHandler):
    """Serves without a line on stderr."""

    def log_message(self, *_arguments):
        """Say nothing."""


@contextlib.contextmanager
def by_url(application, _folder):
    """Serve an application on a port of its own, and give the way to its URL."""
    server = make_server("127.0.0.1", 0, application, handler_class=Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield Filestore(f"http://127.0.0.1:{server.server_port}", (KEY,))
    server.shutdown()
    thread.join()
    server.server_close()


@contextlib.contextmanager
def by_socket(application, folder):
    """Serve an application on a Unix socket, and give the way to it."""
    server = UnixServer(folder / "internal.sock", application).start()
    yield Filestore(f"unix:{folder}/internal.sock", (KEY,))
    server.close()


def new_lab(data):
    """Return filestore-svc that takes signed identities."""
    return Lab(data, settings=Settings(data=str(data), internal_keys=(KEY,)))


@pytest.fixture(params=[f"{kind}-{way}" for kind in ("double", "real") for way in ("url", "socket")])
def shop(request, tmp_path_factory):
    """A store and the way to it: the double and filestore-svc, over TCP and over a Unix socket."""
    kind, _, way = request.param.partition("-")
    data = tmp_path_factory.mktemp("filestore")
    store = FakeFilestore(Signer([KEY])) if kind == "double" else RealFilestore(new_lab(data))
    with (by_url if way == "url" else by_socket)(store, data) as filestore:
        yield store, filestore
    if kind == "real":
        store.lab.close()


@pytest.fixture
def double(tmp_path_factory):
    """The double, which answers what a test tells it to."""
    store = FakeFilestore(Signer([KEY]))
    with by_socket(store, tmp_path_factory.mktemp("double")) as filestore:
        yield store, filestore


@pytest.fixture
def folder(tmp_path):
    """A local folder with its endpoint."""
    endpoint = FileEndpoint(Folder(os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)))
    yield tmp_path, endpoint
    endpoint.close()


def test_files_go_in_and_out_as_the_account_system(shop, folder):
    """Both ways the bytes arrive whole, and each call names the account `system` and the transfer."""
    store, upstream = shop
    path, local = folder
    content = os.urandom(3_000_000)
    (path / "a%20ü.bin").write_bytes(content)
    endpoint = upstream.open("/in", TRANSFER)
    (entry,) = local.list(Patterns(["*"]))
    moved = Mover(token=TOKEN).move(local, entry, endpoint, entry.name)
    assert store.content("/in/a%20ü.bin") == content
    assert (moved.source.sha256, moved.replaced) == (hashlib.sha256(content).hexdigest(), False)
    (listed,) = endpoint.list(Patterns(["a%*"]))
    assert (listed.size, listed.sha256) == (len(content), moved.delivered.sha256)
    back = Mover(token=TOKEN).move(endpoint, listed, local, "back")
    assert (path / "back").read_bytes() == content
    endpoint.delete(back.entry, token=TOKEN)
    assert store.content("/in/a%20ü.bin") is None
    assert store.callers == {("system", TRANSFER)}
    endpoint.close()


def test_empty_files_and_existing_names(shop, folder):
    """An empty file is stored; a name that is taken is refused with `fail` and replaced without."""
    _, upstream = shop
    path, local = folder
    (path / "e").write_bytes(b"")
    endpoint = upstream.open("/in")
    (entry,) = local.list(Patterns(["e"]))
    assert Mover(token=TOKEN).move(local, entry, endpoint, "e").delivered.size == 0
    with pytest.raises(Exists):
        Mover(token=TOKEN, if_exists="fail").move(local, entry, endpoint, "e")
    assert Mover(token=TOKEN).move(local, entry, endpoint, "e").replaced
    endpoint.close()


def test_a_listing_is_read_page_by_page(double):
    """More files than a page holds are all listed, once and in order."""
    store, upstream = double
    for number in range(1500):
        store.put(f"/in/{number:05d}", b"x")
    endpoint = upstream.open("in")
    assert [entry.name for entry in endpoint.list(Patterns(["0*", "1*"]))] == sorted(f"{n:05d}" for n in range(1500))
    endpoint.close()


def test_a_stop_or_a_change_stores_nothing(shop, folder):
    """A transfer that is stopped, or whose source changes, leaves neither a file nor an unfinished upload."""
    store, upstream = shop
    path, local = folder
    (path / "f").write_bytes(bytes(2 << 20))
    endpoint = upstream.open("/in")
    (entry,) = local.list(Patterns(["f"]))
    stop = threading.Event()
    stopping = Mover(token=TOKEN, interrupt=stop, progress=lambda _: stop.set(), progress_every=0.0)
    with pytest.raises(Interrupted):
        stopping.move(local, entry, endpoint, "f")
    growing = Mover(token=TOKEN, progress=lambda _: (path / "f").write_bytes(b"other") and None, progress_every=0.0)
    with pytest.raises(Changed):
        growing.move(local, entry, endpoint, "f")
    assert (store.content("/in/f"), store.unfinished()) == (None, 0)
    endpoint.close()


def test_another_content_is_not_deleted(shop):
    """A file that was replaced after it was read is not deleted."""
    store, upstream = shop
    store.put("/in/a", b"one")
    endpoint = upstream.open("/in")
    (entry,) = endpoint.list(Patterns(["a"]))
    store.put("/in/a", b"two")
    with pytest.raises(Changed):
        endpoint.delete(entry, token=TOKEN)
    assert store.content("/in/a") == b"two"
    endpoint.close()


class StopAt:
    """A stop that is set at the check number `at`; `asked` counts the checks."""

    def __init__(self, at):
        self.at, self.asked = at, 0

    def is_set(self):
        """Count the check; return whether the stop is set."""
        self.asked += 1
        return self.asked >= self.at

    def wait(self, _timeout=None):
        """Return without waiting."""
        return self.is_set()


class LostError(Exception):
    """The caller is no longer the owner of the work."""


def _guard(at):
    calls = []

    def guard():
        calls.append(1)
        if len(calls) >= at:
            raise LostError

    return guard


@pytest.mark.parametrize("kind", ["stop", "ownership"])
def test_whenever_a_job_is_cancelled_the_former_file_stays(shop, folder, kind):
    """For every N: the Nth check of stop or ownership ends the move, and the former file is unchanged."""
    store, upstream = shop
    path, local = folder
    (path / "f").write_bytes(b"new" * 500_000)
    store.put("/in/f", b"former")
    endpoint = upstream.open("/in")
    (entry,) = local.list(Patterns(["f"]))
    (former,) = endpoint.list(Patterns(["f"]))
    for at in range(1, 20):
        options = {"interrupt": StopAt(at)} if kind == "stop" else {"guard": _guard(at)}
        try:
            Mover(token=TOKEN, **options).move(local, entry, endpoint, "f")
        except (Interrupted, LostError):
            assert store.content("/in/f") == b"former"
            assert [each.version for each in endpoint.list(Patterns(["f"]))] == [former.version]
            assert store.unfinished() == 0
        else:
            assert at > 1
            break
    assert store.content("/in/f") == b"new" * 500_000
    endpoint.close()


def test_unfinished_uploads_are_swept_by_their_token(shop):
    """Uploads of a token are removed, those of another token and finished ones are not."""
    store, upstream = shop
    endpoint = upstream.open("/in")
    for name, token in (("a", TOKEN), ("b", TOKEN), ("c", "0000000000000043")):
        writer = endpoint.writer(name, token=token, size=3)
        writer.begin()
        writer.feed(b"xyz")
        if name == "b":
            writer.seal(3, hashlib.sha256(b"xyz").hexdigest(), "sha256")
            writer.commit()
    assert endpoint.sweep(TOKEN) == ("a",)
    assert endpoint.sweep(TOKEN) == ()
    assert (store.unfinished(), store.content("/in/b")) == (1, b"xyz")
    endpoint.close()


def test_a_stop_while_filestore_completes_an_upload(tmp_path, folder):
    """The stop is heard while the store is at work; no file, no blob and no upload stay."""
    path, local = folder
    (path / "f").write_bytes(b"content")
    lab, stop = new_lab(tmp_path / "data"), threading.Event()
    gate = Gate(lab)
    gate.before = lambda: (stop.set(), gate.wait())
    lab.service.resuming.completions.answer_within = 0.1
    with by_socket(lab.client.application, tmp_path) as filestore:
        (entry,) = local.list(Patterns(["f"]))
        with pytest.raises(Interrupted):
            Mover(token=TOKEN, interrupt=stop).move(local, entry, filestore.open("/in"), "f")
        gate.open.set()
    lab.service.resuming.close()
    assert (RealFilestore(lab).content("/in/f"), RealFilestore(lab).unfinished(), lab.blobs()) == (None, 0, [])
    lab.close()


class _Losing:
    """An application whose answers to the first `count` requests of a path's end are lost on the way."""

    def __init__(self, application, end, count):
        self.application, self.end, self.left = application, end, count

    def __call__(self, environ, start_response):
        answer = b"".join(self.application(environ, start_response))
        if environ["PATH_INFO"].endswith(self.end) and self.left:
            self.left -= 1
            raise ConnectionResetError("made to break")
        return [answer]


@pytest.mark.parametrize(("retries", "lost"), [(0, 1), (2, 1), (2, 2)])
@pytest.mark.parametrize("if_exists", ["replace", "fail"])
def test_a_commit_whose_answer_is_lost_finds_its_own_file(tmp_path, folder, if_exists, retries, lost):
    """A repeated commit returns the file that the first one has stored, and is no conflict with itself."""
    path, local = folder
    (path / "f").write_bytes(b"content")
    lab = new_lab(tmp_path / "data")
    (entry,) = local.list(Patterns(["f"]))
    with by_socket(_Losing(lab.client.application, "/commit", lost), tmp_path) as filestore:
        endpoint = filestore.open("/in", TRANSFER)
        moved = Mover(token=TOKEN, if_exists=if_exists, retries=retries, delay=0.0).move(local, entry, endpoint, "f")
    assert (moved.delivered.size, moved.replaced) == (7, False)
    assert [event["type"] for event in lab.events()] == ["file.stored.v1"]
    lab.close()


@pytest.mark.parametrize("retries", [0, 1])
def test_an_upload_whose_beginning_got_no_answer_is_ended(tmp_path, folder, retries):
    """Its id is not known: the uploads of this token to this file are ended, and no other ones."""
    path, local = folder
    (path / "f").write_bytes(b"content")
    lab = new_lab(tmp_path / "data")
    (entry,) = local.list(Patterns(["f"]))
    losing = _Losing(lab.client.application, "/uploads/in/f", 0)
    with by_socket(losing, tmp_path) as filestore:
        endpoint = filestore.open("/in", TRANSFER)
        for name, token in (("g", TOKEN), ("f", "0000000000000043")):
            endpoint.writer(name, token=token, size=3).begin()
        losing.left = 1
        mover = Mover(token=TOKEN, retries=retries, delay=0.0)
        with contextlib.nullcontext() if retries else pytest.raises(Transient):
            mover.move(local, entry, endpoint, "f")
    assert RealFilestore(lab).unfinished() == 2
    lab.close()


class _Working:
    """An application that answers the first `count` commits with 202, that it is still at work."""

    def __init__(self, application, count):
        self.application, self.left = application, count

    def __call__(self, environ, start_response):
        if environ["PATH_INFO"].endswith("/commit") and self.left:
            self.left -= 1
            start_response("202 ACCEPTED", [("Content-Length", "2")])
            return [b"{}"]
        return self.application(environ, start_response)


def test_a_commit_that_takes_long_costs_no_retry(tmp_path, folder):
    """202 says that the store is still at work: it is asked again."""
    path, local = folder
    (path / "f").write_bytes(b"content")
    lab = new_lab(tmp_path / "data")
    (entry,) = local.list(Patterns(["f"]))
    with by_socket(_Working(lab.client.application, 3), tmp_path) as filestore:
        moved = Mover(token=TOKEN).move(local, entry, filestore.open("/in", TRANSFER), "f")
    assert (moved.delivered.size, moved.retries) == (7, 0)
    lab.close()


FULL = """
import contextlib, os, sys
from mft_common.endpoints.errors import TransferError
from mft_common.endpoints.filestore import Filestore
folder, left = sys.argv[1:]
with open(os.path.join(folder, "filler"), "wb", buffering=0) as file, contextlib.suppress(OSError):
    while True:
        file.write(bytes(4096))
if left == "blocks":
    os.truncate(os.path.join(folder, "filler"), 256 << 10)
for size in (4000, 4 << 20):
    writer = Filestore("unix:/nowhere", ("a-key",), folder).open("/in").writer("f", token="0000000000000042")
    try:
        writer.begin()
        for _ in range(size // 4000):
            writer.feed(bytes(4000))
        writer.seal(size // 4000 * 4000, "", "size")
    except TransferError as error:
        print(type(error).__name__, error.heals, folder in str(error))
    with contextlib.suppress(TransferError):
        assert writer.abort() is None
"""


@pytest.mark.parametrize(
    ("left", "found"), [("nothing", ["DiskFull"] * 2), ("blocks", ["Transient", "DiskFull"])], ids=["none", "some"]
)
def test_a_full_disk_is_an_error_of_the_endpoint(tmp_path, left, found):
    """A file of unknown size waits on the disk: one that is full does not heal by waiting, and no path is shown."""
    command = on_small_disk([sys.executable, "-c", FULL, tmp_path / "spool", left], tmp_path / "spool", mebibytes=1)
    out = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    assert out.split() == [word for name in found for word in (name, str(name == "Transient"), "False")]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, BadName),
        (403, Denied),
        (404, NotFound),
        (409, Exists),
        (507, DiskFull),
        (503, Transient),
        (500, Transient),
    ],
)
def test_refusals_say_whether_another_try_may_help(double, status, error):
    """Each status becomes its error, with the store's own message."""
    store, upstream = double
    store.answer = (status, [], b'{"error": "x", "message": "because"}')
    endpoint = upstream.open("/in")
    with pytest.raises(error, match="because"):
        list(endpoint.list(Patterns(["*"])))
    store.answer = (status, [], b"no json")
    with pytest.raises(error):
        list(endpoint.list(Patterns(["*"])))
    endpoint.close()


def test_a_wrong_checksum_is_not_delivered(double, folder):
    """A file whose checksum differs from the announced one is not delivered."""
    store, upstream = double
    path, local = folder
    store.put("/in/a", b"one")
    endpoint = upstream.open("/in")
    (entry,) = endpoint.list(Patterns(["a"]))
    store.answer = (200, [("X-Sha256", "0" * 64), ("X-Fileset", "1")], b"one")
    with pytest.raises(Mismatch):
        Mover(token=TOKEN).move(endpoint, entry, local, "a")
    assert not list(path.iterdir())
    endpoint.close()


def test_a_store_that_is_away_is_transient():
    """A refused connection is Transient."""
    with pytest.raises(Transient):
        list(Filestore("http://127.0.0.1:1", (KEY,)).open("/in").list(Patterns(["*"])))
