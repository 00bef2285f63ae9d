"""Programs that hang in buckets, web servers and the store end within two seconds of an interrupt or a kill (E8)."""

import contextlib
import os
import signal
import socket
import sys
import threading
from dataclasses import dataclass, field

import pytest

from tests.servers.processes import wait_until
from tests.servers.programs import Program
from tests.servers.simple_s3 import SimpleS3
from tests.servers.stopwatch import Stopwatch
from tests.servers.web import Web

WITHIN_S = 2.0
HELLO = b"\x16\x03\x03\x00\x7a\x02\x00"
HALF = (
    b'HTTP/1.1 200 OK\r\nETag: "1"\r\nLast-Modified: Sun, 29 Nov 2026 00:00:00 GMT\r\nContent-Length: 999999\r\n\r\nab'
)

PROGRAM = """
import sys
from mft_common.endpoints.contract import Entry
from mft_common.endpoints.filestore import Filestore
from mft_common.endpoints.http import open_http
from mft_common.endpoints.s3 import open_s3
from mft_common.endpoints.targets import Target, Timeouts
kind, url, way = sys.argv[1:]
host, port = url.rpartition("/")[2].split(":")
if kind == "s3":
    far = open_s3(Target(scheme="s3", host="bucket", endpoint=url, key_id="an-id", secret="a-secret"), part=1 << 20)
elif kind == "http":
    far = open_http(Target(scheme=url.partition(":")[0], host=host, port=int(port), folder="/"))
else:
    far = Filestore(url, ("a-key",)).open("/in")
if way == "read":
    reader = far.open(Entry("f"))
    while reader.read():
        pass
writer = far.writer("f", token="0123456789ABCDEF", size=64 << 20)
try:
    writer.begin()
    for _ in range(64):
        writer.feed(bytes(1 << 20))
    writer.seal(64 << 20, "", "size")
    writer.commit()
finally:
    if kind != "filestore":
        writer.abort()
"""


@dataclass
class Peer:
    """A server that stops: without a word, after `answer`, or after it has read `reads` bytes of a request."""

    answer: bytes = b""
    reads: int = 1 << 16
    reached: threading.Event = field(default_factory=threading.Event)

    def __enter__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._open = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection = self._listener.accept()[0]
                self._open.append(connection)
                if self.reads:
                    connection.recv(self.reads)
                connection.sendall(self.answer)
                self.reached.set()

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for connection in self._open:
            connection.close()


@contextlib.contextmanager
def bucket_that_holds_parts():
    """Yield a bucket that creates an upload, and answers no part of it."""
    store, reached, over = SimpleS3(), threading.Event(), threading.Event()

    def hold(_number):
        reached.set()
        over.wait(60)

    store.before_part = hold
    with Web(store) as server:
        server.reached = reached
        try:
            yield server
        finally:
            over.set()


CASES = {
    "read": [
        *((kind, "http", lambda: Peer(reads=0)) for kind in ("s3", "http", "filestore")),
        *((kind, "http", lambda: Peer(HALF)) for kind in ("s3", "http", "filestore")),
        *((kind, "https", lambda: Peer(HELLO)) for kind in ("s3", "http", "filestore")),
    ],
    "write": [
        *((kind, "http", lambda: Peer(reads=0)) for kind in ("s3", "http", "filestore")),
        *((kind, "http", lambda: Peer(reads=1000)) for kind in ("s3", "http", "filestore")),
        *((kind, "https", lambda: Peer(HELLO)) for kind in ("s3", "http", "filestore")),
        ("s3", "http", bucket_that_holds_parts),
    ],
}


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL], ids=["interrupt", "kill"])
@pytest.mark.parametrize("way", ["read", "write"])
def test_a_program_that_hangs_is_over_within_two_seconds_e8(tmp_path, way, sent):
    """Silent peers, those that stop in the middle of a body, handshakes that never end, parts that get no answer."""
    with contextlib.ExitStack() as stack:
        running = []
        for number, (kind, scheme, make) in enumerate(CASES[way]):
            peer = stack.enter_context(make())
            command = [sys.executable, "-c", PROGRAM, kind, f"{scheme}://127.0.0.1:{peer.port}", way]
            program = Program(command, tmp_path / f"{number}.log", env=dict(os.environ)).start()
            stack.callback(program.kill)
            running.append((kind, scheme, peer, program))
        for kind, scheme, peer, program in running:
            wait_until(peer.reached.is_set, within=60, what=f"{kind} over {scheme}: {program.tail()}")
        for kind, scheme, _, program in running:
            assert program.running(), f"{kind} over {scheme}: {program.tail()}"
            since = Stopwatch()
            program.send_to_all(sent)
            wait_until(lambda program=program: not program.running(), within=20, what=f"the end of {kind} {scheme}")
            assert since.seconds < WITHIN_S, f"{kind} over {scheme}: {program.tail()}"


MOVE = """
import sys
from pathlib import Path
from mft_common.endpoints.filestore import Filestore
from mft_common.endpoints.files import open_file
from mft_common.endpoints.folders import LocalFolders
from mft_common.endpoints.http import open_http
from mft_common.endpoints.targets import Target, parse_url
from mft_common.transfer import Mover
kind, port, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
if kind == "http":
    far = open_http(Target(scheme="http", host="127.0.0.1", port=port, folder="/"))
else:
    far = Filestore(f"http://127.0.0.1:{port}", ("a-key",)).open("/in")
with far, open_file(parse_url("file:here"), LocalFolders(folder)) as source:
    Mover(token="0123456789ABCDEF").move(source, source.stat("f"), far, "f")
"""


@pytest.mark.parametrize("kind", ["filestore", "http"])
def test_an_abort_towards_a_peer_that_hangs_is_over_within_two_seconds_of_an_interrupt(tmp_path, kind):
    """The beginning of an upload, or the commit, got no answer, and the questions of the abort get none either (E8)."""
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "f").write_bytes(b"content")
    with Peer() as peer:
        command = [sys.executable, "-c", MOVE, kind, str(peer.port), str(tmp_path)]
        program = Program(command, tmp_path / "log", env=dict(os.environ)).start()
        try:
            wait_until(peer.reached.is_set, within=60, what=program.tail())
            since = Stopwatch()
            program.send_to_all(signal.SIGINT)
            wait_until(lambda: not program.running(), within=20, what="the end of the program")
            assert since.seconds < WITHIN_S, program.tail()
        finally:
            program.kill()
    assert "KeyboardInterrupt" in (tmp_path / "log").read_text()
