"""FTP servers as far sides of the shared suite: vsftpd without and with TLS, and pyftpdlib, which has MLSD."""

import contextlib
from pathlib import Path

from crossdock import certificate
from mft_common.endpoints.ftp import open_ftp
from mft_common.endpoints.registry import Endpoints
from mft_common.endpoints.section import Targets
from mft_common.endpoints.targets import Target
from tests.endpoints.far import LocalFolder
from tests.servers.pyftpd import Pyftpd
from tests.servers.vsftpd import Vsftpd


class FarFtp(LocalFolder):
    """A folder of this machine that is reached over FTP. `target` is that of the server's root."""

    resumes = True
    verifies = True

    def __init__(self, kind: str, root: Path, name: str, target: Target, *, versions: bool, byte_names: bool) -> None:
        self.kind = kind
        self.versions = versions
        self.byte_names = byte_names
        self.path = root / name
        self.path.mkdir()
        self.target = target.below(name)

    def open(self):
        return open_ftp(self.target)

    def endpoints(self):
        return Endpoints(Targets({"far": self.target}))


def _login(server):
    return {"host": "localhost", "port": server.port, "user": "anonymous", "password": server.password}


def _root(folder):
    root = folder / "root"
    root.mkdir()
    return root


@contextlib.contextmanager
def _vsftpd(folder):
    """A server without MLSD."""
    root = _root(folder)
    with Vsftpd(folder / "vsftpd", root) as server:
        target = Target(scheme="ftp", **_login(server))
        yield lambda name: FarFtp("ftp", root, name, target, versions=False, byte_names=True)


@contextlib.contextmanager
def _vsftpd_tls(folder):
    """The same with explicit TLS."""
    root = _root(folder)
    tls = certificate.ensure(folder / "tls")
    with Vsftpd(folder / "vsftpd", root, tls=tls) as server:
        target = Target(scheme="ftps", **_login(server), tls="explicit", ca=str(tls[0]))
        yield lambda name: FarFtp("ftps", root, name, target, versions=False, byte_names=True)


@contextlib.contextmanager
def _pyftpdlib(folder):
    """A server with MLSD and times, which keeps no names that are not UTF-8."""
    with Pyftpd(folder / "pyftpdlib", tls=certificate.ensure(folder / "tls")) as server:
        target = server.target()
        yield lambda name: FarFtp("ftps-mlsd", server.root, name, target, versions=True, byte_names=False)


SERVERS = {"ftp": _vsftpd, "ftps": _vsftpd_tls, "ftps-mlsd": _pyftpdlib}
