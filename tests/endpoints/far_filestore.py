"""The hub's own store as far sides of the shared suite: over TCP from gunicorn, and over a Unix socket."""

import contextlib
import itertools
from urllib.parse import quote

import requests

from filestore_svc.app import create_app
from filestore_svc.settings import Settings
from mft_common.endpoints.filestore import Filestore
from mft_common.endpoints.names import Patterns
from mft_common.endpoints.registry import Endpoints
from mft_common.endpoints.section import Targets
from mft_common.endpoints.targets import parse_url
from mft_common.process.unix_server import UnixServer
from tests.service.filestore_svc.filestore_lab import ALL, KEY, Lab, Server, identity_of

TRANSFER = "414D5120514D312020202020202020203F0C71A200000017"
FOLDERS = {
    f"/t{number}{below}": {"access": {"part1": ALL}} for number in range(300) for below in ("", "/sub", "/sub/deep")
}
_numbers = itertools.count()


class FarStore:
    """A folder of the store; `call(method, path, account, content)` sends a request as that account."""

    resumes = True
    verifies = True
    byte_names = False
    versions = True

    def __init__(self, kind, filestore, call):
        self.kind = kind
        self.folder = f"/t{next(_numbers)}"
        self._filestore = filestore
        self._call = call

    def open(self):
        return self._filestore.open(self.folder, TRANSFER)

    def endpoints(self):
        return Endpoints(Targets({"far": parse_url(f"filestore:{self.folder}")}), filestore=self._filestore)

    def write_outside(self, path, content):
        status, _ = self._call("PUT", f"/2.0/files{quote(f'{self.folder}/{path}')}", "part1", content)
        assert status == 201

    def read_outside(self, path):
        status, content = self._call("GET", f"/2.0/files{quote(f'{self.folder}/{path}')}", "part1", None)
        return content if status == 200 else None

    def names_outside(self):
        with self.open() as endpoint:
            return sorted(entry.path for entry in endpoint.list(Patterns(["*"])))


@contextlib.contextmanager
def _tcp(folder):
    """filestore-svc as a server of its own."""
    server = Server(folder, folders=FOLDERS).start()

    def call(method, path, account, content):
        files = None if content is None else {"file": content}
        answer = requests.request(method, server.url + path, files=files, headers=server.headers(account), timeout=30)
        return answer.status_code, answer.content

    try:
        yield lambda _: FarStore("filestore-tcp", Filestore(server.url, (KEY,), str(folder)), call)
    finally:
        server.program.terminate()
        server.program.stop(asked=True)


@contextlib.contextmanager
def _unix(folder):
    """filestore-svc in this process, behind a Unix socket."""
    lab = Lab(folder, settings=Settings(data=str(folder), internal_keys=(KEY,)), folders=FOLDERS)
    socket = folder / "state/filestore-svc/internal.sock"
    server = UnixServer(socket, create_app(lab.service))
    server.start()

    def call(method, path, account, content):
        if content is not None:
            answer = lab.store(path.removeprefix("/2.0/files"), content, identity_of("system", mechanism="none"))
        else:
            answer = lab.call(method, path, who=identity_of(account))
        return answer.status_code, answer.data

    try:
        yield lambda _: FarStore("filestore-unix", Filestore(f"unix:{socket}", (KEY,)), call)
    finally:
        server.close()
        lab.close()


SERVERS = {"filestore-tcp": _tcp, "filestore-unix": _unix}
