"""Uploads that are cut at any byte, and kill -9 under load: no file is incomplete, no acknowledged one is lost."""

import contextlib
import hashlib
import os
import random
import socket
import sqlite3
import threading

import pytest
import requests

from tests.e2e.clients import HttpMft
from tests.servers.hub import OneMachine
from tests.servers.processes import wait_until

UPLOADERS = 6
SIZES = (0, 1, 1000, 65_536, 1_100_000, 3_000_000)
BOUNDARY = b"a-boundary-of-the-crash-test"


class Ledger:
    """The digests that were tried under each name, and the one that a 201 acknowledged."""

    def __init__(self):
        seed = int(os.environ.get("MFT_TEST_SEED", random.SystemRandom().randrange(1 << 32)))
        print(f"MFT_TEST_SEED={seed}")
        self.dice = random.Random(seed)
        self.tried = {}
        self.promised = {}
        self._lock = threading.Lock()

    def trying(self, name, content):
        with self._lock:
            self.tried.setdefault(name, set()).add(hashlib.sha256(content).hexdigest())

    def stored(self, name, content):
        with self._lock:
            self.promised[name] = hashlib.sha256(content).hexdigest()
            # It has replaced all earlier ones: each name has one uploader.
            self.tried[name] = {self.promised[name]}

    def check(self, client):
        """Check that every acknowledged file is whole, and that each visible one is a whole one that was tried."""
        visible = {name: hashlib.sha256(client.get(f"in/{name}").content).hexdigest() for name in client.names("in")}
        for name, digest in visible.items():
            assert digest in self.tried.get(name, ()), f"{name} is half of something"
        for name in self.promised:
            assert name in visible, f"{name} was promised and is lost"
        # An upload without an answer may have been committed or not; from this check on it is known which.
        self.promised = dict(visible)
        self.tried = {name: {digest} for name, digest in visible.items()}


def request_of(client, name, content):
    """Return the bytes of a whole multipart upload, as they go over the wire."""
    cookie = "; ".join(f"{cookie.name}={cookie.value}" for cookie in client.http.cookies)
    head = b'Content-Disposition: form-data; name="file"; filename="x"\r\nContent-Type: text/plain\r\n\r\n'
    body = b"--" + BOUNDARY + b"\r\n" + head + content + b"\r\n--" + BOUNDARY + b"--\r\n"
    lines = (
        f"PUT /2.0/files/in/{name} HTTP/1.1",
        "Host: hub",
        f"Cookie: {cookie}",
        f"Content-Type: multipart/form-data; boundary={BOUNDARY.decode()}",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join((*lines, "", "")).encode() + body


def abort(hub, raw, position, *, reset):
    """Send an upload up to `position` and hang up, in the orderly way or with a reset."""
    with socket.create_connection(("127.0.0.1", hub.port), timeout=20) as connection:
        connection.sendall(raw[:position])
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")


def staging(hub):
    return list((hub.data / "state/filestore-svc/staging").iterdir())


def failed_transfers(hub):
    path = hub.data / "state/filestore-svc/filestore.db"
    query = "SELECT count(*) FROM outbox WHERE type = 'transfer.ended.v1' AND data LIKE '%\"state\":\"failed\"%'"
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30) as connection:
        return connection.execute(query).fetchone()[0]


def cuts(ledger, client, count):
    """Yield whole requests and where to cut them: anywhere, and each byte around the head's and the body's ends."""
    for number in range(count):
        content = ledger.dice.randbytes(ledger.dice.choice(SIZES))
        name = f"cut{number % 5}"
        raw = request_of(client, name, content)
        body = raw.index(b"\r\n\r\n") + 4
        near = (body + number % 9, len(raw) - 1 - number % 40)
        yield raw, ledger.dice.choice((*near, ledger.dice.randrange(1, len(raw))))


def kill_amid_uploads(hub, ledger, client):
    """Kill -9 everything while five uploads have sent half of what they have, all of it staged."""
    with contextlib.ExitStack() as stack:
        for number in range(5):
            raw = request_of(client, f"cut{number}", ledger.dice.randbytes(4_000_000))
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", hub.port), timeout=20))
            connection.sendall(raw[: len(raw) // 2])
        wait_until(lambda: len(staging(hub)) == 5, within=20, what="five uploads under way")
        hub.kill()


def test_aborted_uploads_leave_nothing(tmp_path):
    """200 uploads that break off at random bytes: none is seen, files that were there stay, and no staging is left."""
    ledger = Ledger()
    hub = OneMachine(tmp_path)
    try:
        client = HttpMft(hub.start().url)
        for number in range(3):
            content = ledger.dice.randbytes(5000)
            ledger.trying(f"cut{number}", content)
            assert client.put(f"in/cut{number}", content).status_code == 201
            ledger.stored(f"cut{number}", content)
        for raw, position in cuts(ledger, client, 200):
            abort(hub, raw, position, reset=ledger.dice.random() < 0.5)
        wait_until(lambda: staging(hub) == [], within=30, what="an empty staging folder")
        ledger.check(client)
        assert client.names("in") == ["cut0", "cut1", "cut2"]
        wait_until(lambda: failed_transfers(hub) > 50, within=20, what="failed transfers for what broke off")
        kill_amid_uploads(hub, ledger, client)
        assert staging(hub.start()) == []
        ledger.check(HttpMft(hub.url))
        assert hub.stop() == 0
    finally:
        hub.kill()


def upload(hub, ledger, number, over, dice):
    """Upload whole files and broken ones in turn until the hub is gone."""
    try:
        client = HttpMft(hub.url)
        for count in range(100_000):
            if over.is_set():
                return
            name, content = f"up{number}-{count % 4}", dice.randbytes(dice.choice(SIZES))
            ledger.trying(name, content)
            if dice.random() < 0.2:
                broken = request_of(client, f"broken{number}", content)
                abort(hub, broken, dice.randrange(1, len(broken) - 1), reset=dice.random() < 0.5)
            if client.put(f"in/{name}", content).status_code == 201:
                ledger.stored(name, content)
    except (requests.RequestException, OSError):
        return


@pytest.mark.parametrize("rounds", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_kills_under_load(tmp_path, rounds):
    """After kill -9 of everything amid uploads, again and again, staging is empty and every promise holds."""
    ledger = Ledger()
    hub = OneMachine(tmp_path)
    try:
        hub.start()
        for round_number in range(1, rounds + 1):
            over = threading.Event()
            threads = [
                threading.Thread(
                    target=upload,
                    args=(hub, ledger, number, over, random.Random(ledger.dice.random())),
                )
                for number in range(UPLOADERS)
            ]
            for thread in threads:
                thread.start()
            # On a busy machine, a round's load alone may be over before an upload is acknowledged.
            wanted = UPLOADERS * round_number // rounds
            wait_until(lambda wanted=wanted: len(ledger.promised) > wanted, within=60, what="answers")
            over.wait(ledger.dice.uniform(0.3, 1.5))
            hub.kill()
            over.set()
            for thread in threads:
                thread.join()
            hub.start()
            assert staging(hub) == []
            ledger.check(HttpMft(hub.url))
        assert len(ledger.promised) > UPLOADERS
        assert hub.stop() == 0
    finally:
        hub.kill()
