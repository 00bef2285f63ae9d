"""OpenSSH's sshd as far side of the shared suite: as it is, and without posix-rename, hard links and fsync."""

import contextlib
from pathlib import Path

from mft_common.endpoints.registry import Endpoints
from mft_common.endpoints.section import Targets
from mft_common.endpoints.sftp import open_sftp
from mft_common.endpoints.targets import Target
from tests.endpoints.far import LocalFolder
from tests.servers.openssh import OpenSsh


class FarSftp(LocalFolder):
    """A folder of this machine that is reached over SSH."""

    resumes = True
    verifies = True
    byte_names = True
    versions = True

    def __init__(self, kind: str, server: OpenSsh, path: Path) -> None:
        self.kind = kind
        self.path = path
        self.path.mkdir()
        self._server = server

    def target(self, **changes) -> Target:
        server = self._server
        fields = {
            "host": "127.0.0.1",
            "port": server.port,
            "user": server.user,
            "folder": str(self.path),
            "key": server.key,
            "host_key": server.host_keys["ed25519"],
        }
        return Target(scheme="sftp", **{**fields, **changes})

    def open(self):
        return open_sftp(self.target())

    def endpoints(self):
        return Endpoints(Targets({"far": self.target()}))


@contextlib.contextmanager
def _openssh(folder):
    """An sshd with the extensions of OpenSSH."""
    with OpenSsh(folder / "sshd") as server:
        yield lambda name: FarSftp("sftp", server, folder / name)


@contextlib.contextmanager
def _plain(folder):
    """An sshd that refuses what older servers do not know."""
    denied = ("-P", "posix-rename,hardlink,fsync")
    with OpenSsh(folder / "sshd", sftp_server_options=denied) as server:
        yield lambda name: FarSftp("sftp-plain", server, folder / name)


SERVERS = {"sftp": _openssh, "sftp-plain": _plain}
