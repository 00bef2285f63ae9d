"""OpenSSH's sshd as far side of the shared suite: as it is, and without posix-rename, hard links and fsync."""

import contextlib
import os
from pathlib import Path

from mft_common.endpoints.sftp import open_sftp
from mft_common.endpoints.targets import Target
from tests.servers.openssh import OpenSsh


class FarSftp:
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
