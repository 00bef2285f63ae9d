"""Folders of nginx over HTTP, and over HTTPS with a password, as far sides of the shared suite."""

import contextlib
import os
from pathlib import Path

from crossdock import certificate
from mft_common.endpoints.http import open_http
from mft_common.endpoints.targets import Target
from tests.servers.nginx import Nginx

USER = "joe"
PASSWORD = "a-password-of-the-tests"


class FarWeb:
    """A folder that nginx serves, and into which it stores what is PUT."""

    kind = "http"
    resumes = False
    verifies = False
    byte_names = True
    versions = True

    def __init__(self, server: Nginx, target: Target, name: str) -> None:
        self.path: Path = server.root / name
        self.path.mkdir()
        self._target = target.below(name)

    def open(self):
        return open_http(self._target)

    def write_outside(self, path, content):
        target = self.path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)

    def read_outside(self, path):
        with contextlib.suppress(FileNotFoundError):
            return (self.path / path).read_bytes()
        return None

    def names_outside(self):
        found = []
        for folder, _, names in os.walk(self.path):
            found += [str((Path(folder) / name).relative_to(self.path)) for name in names]
        return sorted(found)


@contextlib.contextmanager
def _plain(folder):
    """Start nginx without TLS and without a password."""
    server = Nginx(folder / "nginx")
    try:
        target = Target(scheme="http", host="127.0.0.1", port=server.port, folder="/")
        yield lambda name: FarWeb(server, target, name)
    finally:
        server.program.kill()


@contextlib.contextmanager
def _with_password(folder):
    """Start nginx with a certificate, and ask for a password."""
    tls = certificate.ensure(folder)
    server = Nginx(folder / "nginx", tls=tls, user=f"{USER}:{PASSWORD}")
    try:
        target = Target(
            scheme="https",
            host="127.0.0.1",
            port=server.port,
            folder="/",
            user=USER,
            password=PASSWORD,
            ca=str(tls[0]),
        )
        yield lambda name: FarWeb(server, target, name)
    finally:
        server.program.kill()


SERVERS = {"http": _plain, "https": _with_password}
