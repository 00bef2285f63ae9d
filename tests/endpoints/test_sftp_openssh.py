"""The `sftp:` endpoint with OpenSSH: pinned keys, features, cuts of the connection, many files at once."""

import concurrent.futures
import hashlib
import os
import random
import threading
import time

import pytest

from mft_common.endpoints.contract import BLOCK
from mft_common.endpoints.errors import (
    AuthenticationFailed,
    BadName,
    DiskFull,
    Exists,
    Transient,
    UntrustedServer,
)
from mft_common.endpoints.names import Patterns
from mft_common.endpoints.registry import Endpoints
from mft_common.endpoints.section import Targets
from mft_common.endpoints.sftp import connection as connections
from mft_common.endpoints.sftp import fetch_host_keys, open_sftp
from mft_common.endpoints.targets import Target, Timeouts
from tests.servers.openssh import KEY_TYPES, OpenSsh
from tests.servers.proxy import Proxy
from tests.servers.small_disk import SmallDisk, on_small_disk

TOKEN = "0000000000000042"
ALL = Patterns(["*"])


@pytest.fixture(scope="module")
def server(sshd):
    """OpenSSH's server."""
    return sshd


@pytest.fixture
def target(server, tmp_path):
    """The target of an empty folder at the server."""
    return target_of(server, tmp_path / "far")


def target_of(server, folder, **changes):
    """Return a target of the server's user and a folder, which is made."""
    folder.mkdir(exist_ok=True)
    fields = {
        "host": "127.0.0.1",
        "port": server.port,
        "user": server.user,
        "folder": str(folder),
        "key": server.key,
        "host_key": server.host_keys.get("ed25519", ""),
        "timeouts": Timeouts(connect=10, idle=10),
    }
    return Target(scheme="sftp", **{**fields, **changes})


def changed(target, **changes):
    """Return a target with other fields."""
    return Target(**{**{name: getattr(target, name) for name in target.__dataclass_fields__}, **changes})


def store(endpoint, name, content, **options):
    """Write a whole file."""
    writer = endpoint.writer(name, token=TOKEN, size=len(content), **options)
    writer.begin()
    writer.feed(content)
    writer.seal(len(content), hashlib.sha256(content).hexdigest(), "sha256")
    return writer.commit()


# B7: several host keys


@pytest.mark.parametrize("kind", KEY_TYPES)
@pytest.mark.parametrize("form", ["fingerprint", "public key"])
def test_b7_each_host_key_can_be_the_pinned_one(server, target, kind, form):
    """The server is asked for a key of the pinned one's type, whichever it would show by itself."""
    connections._kinds.clear()
    pin = server.fingerprint(kind) if form == "fingerprint" else server.host_keys[kind]
    with open_sftp(changed(target, host_key=pin)) as endpoint:
        assert list(endpoint.list(ALL)) == []


def test_b7_another_key_is_refused_with_all_fingerprints(server, target):
    """None of the server's keys is the pinned one: not healed by waiting, and the text says which keys there are."""
    other = "SHA256:" + "A" * 43
    with pytest.raises(UntrustedServer) as raised:
        open_sftp(changed(target, host_key=other))
    assert not raised.value.heals
    text = str(raised.value)
    # A reason of a job and a line of a log are one line.
    assert text.isprintable()
    first, _, shown = text.partition(", and the server shows ")
    assert first.endswith(f"the pinned host key is {other}")
    assert sorted(key.partition(" ")[0] for key in shown.split(", ")) == sorted(map(server.fingerprint, KEY_TYPES))


def test_b7_a_pinned_type_that_the_server_has_not_is_refused(tmp_path, target, server):
    """A server with an RSA key alone, pinned with another server's Ed25519 key: refused before any log-in."""
    with OpenSsh(tmp_path / "rsa", key_types=("rsa",)) as other:
        with pytest.raises(UntrustedServer, match=r"\(ssh-ed25519\).*shows SHA256:.*\(ssh-rsa\)\Z"):
            open_sftp(target_of(other, tmp_path / "far", host_key=server.host_keys["ed25519"]))
        with open_sftp(target_of(other, tmp_path / "far", host_key=other.fingerprint("rsa"))) as endpoint:
            assert list(endpoint.list(ALL)) == []
        (key,) = fetch_host_keys(target_of(other, tmp_path / "far"))
        assert (key.kind, key.fingerprint) == ("ssh-rsa", other.fingerprint("rsa"))


def test_the_host_keys_of_a_server_are_listed(server, target):
    """Every type that the server has, with the fingerprints that ssh-keygen prints."""
    found = {key.kind: key.fingerprint for key in fetch_host_keys(target)}
    assert found == {
        "ssh-ed25519": server.fingerprint("ed25519"),
        "ecdsa-sha2-nistp256": server.fingerprint("ecdsa"),
        "ssh-rsa": server.fingerprint("rsa"),
    }


@pytest.mark.parametrize("text", ["SHA1:abc", "ssh-dss AAAA", "ssh-ed25519 ???", "nonsense"])
def test_text_that_is_no_host_key(target, text):
    """A pin that is neither a fingerprint nor a public key of a known type is BadName."""
    with pytest.raises(BadName):
        open_sftp(changed(target, host_key=text))


def test_a_key_that_the_server_does_not_know_is_refused(tmp_path, server, target):
    """Another private key is AuthenticationFailed, which waiting does not heal."""
    with OpenSsh(tmp_path / "other", key_types=("ed25519",)) as other, pytest.raises(AuthenticationFailed) as raised:
        open_sftp(changed(target, key=other.key))
    assert not raised.value.heals


def test_a_port_where_nothing_listens_is_transient(server, target):
    """A refused connection may heal."""
    with pytest.raises(Transient):
        open_sftp(changed(target, port=1))


# What the server can do


def test_features_tell_which_extensions_the_server_has(server, tmp_path, target):
    """With posix-rename and hard links files are replaced in one step and created exclusively, else not."""
    with open_sftp(target) as endpoint:
        assert (endpoint.features.atomic_replace, endpoint.features.exclusive_create) == (True, True)
    denied = ("-P", "posix-rename,hardlink")
    with (
        OpenSsh(tmp_path / "plain", key_types=("ed25519",), sftp_server_options=denied) as plain,
        open_sftp(target_of(plain, tmp_path / "far")) as endpoint,
    ):
        assert (endpoint.features.atomic_replace, endpoint.features.exclusive_create) == (False, False)


def test_a_fifo_ends_within_the_idle_limit(target, tmp_path):
    """OpenSSH opens a FIFO and waits for its writer; this side does not wait longer than the idle limit."""
    os.mkfifo(tmp_path / "far" / "pipe")
    skipped = []
    with open_sftp(changed(target, timeouts=Timeouts(connect=10, idle=0.5))) as endpoint:
        assert list(endpoint.list(ALL, skipped=lambda path, _why: skipped.append(path))) == []
        (tmp_path / "far" / "f").write_bytes(b"x")
        entry = endpoint.stat("f")
        (tmp_path / "far" / "f").unlink()
        os.mkfifo(tmp_path / "far" / "f")
        started = time.monotonic()
        with pytest.raises(Transient):
            endpoint.open(entry)
        assert time.monotonic() - started < 2
        # The next call goes over a new connection.
        (tmp_path / "far" / "f").unlink()
        assert list(endpoint.list(ALL)) == []
    assert skipped == ["pipe"]


def test_a_full_disk_is_disk_full(tmp_path):
    """OpenSSH answers a full disk with a failure that has no reason; its free space tells."""
    folder = tmp_path / "small"
    server = OpenSsh(tmp_path / "sshd", key_types=("ed25519",))
    server.command = on_small_disk(server.command, folder, mebibytes=4)
    with server, open_sftp(target_of(server, folder)) as endpoint:
        writer = endpoint.writer("f", token=TOKEN)
        writer.begin()
        with pytest.raises(DiskFull):
            fill(writer)
        assert writer.abort() is None
        store(endpoint, "g", b"x")
        assert SmallDisk(server.pid, folder).free() > BLOCK
        assert [entry.path for entry in endpoint.list(ALL)] == ["g"]


def fill(writer):
    """Write more than the small disk holds."""
    for _ in range(8):
        writer.feed(bytes(BLOCK))
    writer.flush()


def test_one_of_two_exclusive_writers_fails(target):
    """Two connections commit to one name at once, 10 times: one is Exists, the other's content is whole."""
    with open_sftp(target) as first, open_sftp(target) as second:
        for number in range(10):
            writers = []
            for endpoint, content in ((first, b"first"), (second, b"second")):
                token = TOKEN if endpoint is first else "00000000000000FF"
                writer = endpoint.writer(f"f{number}", token=token, if_exists="fail")
                writer.begin()
                writer.feed(content)
                writer.seal(len(content), hashlib.sha256(content).hexdigest(), "sha256")
                writers.append(writer)
            barrier = threading.Barrier(2)

            def commit(writer, barrier=barrier):
                barrier.wait()
                try:
                    return writer.commit().sha256
                except Exists:
                    writer.abort()
                    return None

            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                results = list(pool.map(commit, writers))
            (won,) = [result for result in results if result is not None]
            reader = first.open(first.stat(f"f{number}"))
            assert hashlib.sha256(reader.read()).hexdigest() == won
            reader.close()
        assert len(list(first.list(ALL))) == 10


def test_sixteen_threads_share_one_endpoint(target):
    """Small files go up and down sixteen at a time over one connection."""
    contents = {f"file {number}": random.Random(number).randbytes(10_000 + number) for number in range(48)}
    with open_sftp(target) as endpoint, concurrent.futures.ThreadPoolExecutor(endpoint.features.at_once) as pool:
        list(pool.map(lambda name: store(endpoint, name, contents[name]), contents))

        def read(entry):
            reader = endpoint.open(entry)
            found = b"".join(iter(reader.read, b""))
            reader.close()
            return entry.path, found

        assert dict(pool.map(read, endpoint.list(ALL))) == contents


# Resume after a cut


class CuttingProxy(Proxy):
    """Cuts its connections after a number of bytes in both directions together."""

    def __init__(self, target):
        super().__init__(target)
        self.left = None
        self.passed = 0

    def _pump(self, source, sink, gate):
        try:
            while block := source.recv(65536):
                self.passed += len(block)
                if self.left is not None:
                    self.left -= len(block)
                    if self.left <= 0:
                        self.left = None
                        self.cut()
                        return
                sink.sendall(block)
        except OSError:
            pass
        self.cut()


SIZE = 8 << 20
SOME_CUTS = pytest.mark.parametrize("most", [8, pytest.param(50, marks=pytest.mark.slow)])
# What is done between two checkpoints: a twentieth of the file.
STEP = SIZE // 20


@SOME_CUTS
def test_an_upload_goes_on_after_each_of_many_cuts(server, target, tmp_path, most):
    """The file is cut at random bytes many times: the right SHA-256, fewer than a tenth of it sent again each time."""
    random_ = random.Random(7)
    content = random_.randbytes(SIZE)
    with CuttingProxy(("127.0.0.1", server.port)) as proxy:
        proxied = changed(target, port=proxy.port)
        cuts, resent = 0, 0
        while cuts < most:
            checkpoint, fed = None, 0
            while True:
                try:
                    with open_sftp(proxied) as endpoint:
                        writer = endpoint.writer("f", token=TOKEN, size=SIZE, resume=checkpoint)
                        position = writer.begin()
                        assert position == (checkpoint.position if checkpoint else 0)
                        assert fed - position < SIZE // 10
                        resent += fed - position
                        fed = position
                        if cuts < most:
                            proxy.left = random_.randrange(1, SIZE // 3)
                        while fed < SIZE:
                            block = content[fed : fed + STEP // 2]
                            fed += len(block)
                            writer.feed(block)
                            checkpoint = writer.flush() if fed % STEP == 0 or fed == SIZE else checkpoint
                        proxy.left = None
                        writer.seal(SIZE, hashlib.sha256(content).hexdigest(), "sha256")
                        writer.commit()
                        break
                except Transient:
                    cuts += 1
            assert (tmp_path / "far" / "f").read_bytes() == content
    assert cuts >= most
    assert resent < SIZE * cuts // 10
    assert [path.name for path in (tmp_path / "far").iterdir()] == ["f"]


@SOME_CUTS
def test_a_download_goes_on_after_each_of_many_cuts(server, target, tmp_path, most):
    """The file is cut at random bytes many times: the right SHA-256, and no returned byte is asked for again."""
    random_ = random.Random(8)
    content = random_.randbytes(SIZE)
    (tmp_path / "far" / "f").write_bytes(content)
    with CuttingProxy(("127.0.0.1", server.port)) as proxy:
        proxied = changed(target, port=proxy.port)
        cuts = 0
        while cuts < most:
            digest, position = hashlib.sha256(), 0
            entry = None
            while True:
                try:
                    with open_sftp(proxied) as endpoint:
                        entry = entry or endpoint.stat("f")
                        if cuts < most:
                            proxy.left = random_.randrange(1, SIZE // 3)
                        reader = endpoint.open(entry, position)
                        while block := reader.read():
                            digest.update(block)
                            position += len(block)
                        proxy.left = None
                        reader.check()
                        reader.close()
                        break
                except Transient:
                    cuts += 1
            assert position == SIZE
            assert digest.digest() == hashlib.sha256(content).digest()
    assert cuts >= most


def test_an_endpoint_is_opened_by_its_name(target, tmp_path):
    """`endpoint:NAME/folder` opens the folder below, made where it is missing, and files are moved into it."""
    endpoints = Endpoints(Targets({"acme": target}))
    with endpoints.open("endpoint:acme/sub/deep", create=True) as endpoint:
        store(endpoint, "f", b"content")
    assert (tmp_path / "far/sub/deep/f").read_bytes() == b"content"
