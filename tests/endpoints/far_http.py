"""Folders of nginx over HTTP, and over HTTPS with a password, as far sides of the shared suite."""

import contextlib

from crossdock import certificate
from mft_common.endpoints.http import open_http
from mft_common.endpoints.registry import Endpoints
from mft_common.endpoints.section import Targets
from mft_common.endpoints.targets import Target
from tests.endpoints.far import LocalFolder
from tests.servers.made_secrets import secret
from tests.servers.nginx import Nginx

USER = "joe"
PASSWORD = secret("password-of-nginx")


class FarWeb(LocalFolder):
    """A folder that nginx serves, and into which it stores what is PUT."""

    kind = "http"
    resumes = False
    verifies = False
    byte_names = True
    versions = True

    def __init__(self, server: Nginx, target: Target, name: str) -> None:
        self.path = server.root / name
        self.path.mkdir()
        self._target = target.below(name)

    def open(self):
        return open_http(self._target)

    def endpoints(self):
        return Endpoints(Targets({"far": self._target}))


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
