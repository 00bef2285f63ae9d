"""Start OpenSSH's sshd on loopback, with host keys of its own and nothing but SFTP."""

import getpass
import os
import signal
import socket
import subprocess
from pathlib import Path
from typing import Self

from tests.servers.made_secrets import note_key
from tests.servers.processes import end, free_port, program, wait_until
from tests.servers.secret_search import watch_log

KEY_TYPES = ("ed25519", "ecdsa", "rsa")


class OpenSsh:
    """An sshd for the user who runs the tests, who logs in with `key`; `stop` ends it by its process id."""

    def __init__(self, folder: Path, *, key_types=KEY_TYPES, sftp_server_options=(), settings=()) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._sshd = program(["/usr/sbin/sshd", "sshd"], "openssh-server")
        keygen = program(["ssh-keygen"], "openssh-client")
        self.user = getpass.getuser()
        self.port = free_port()
        self.key_path = folder / "client"
        for name, kind in [("client", "ed25519"), *((f"host_{kind}", kind) for kind in key_types)]:
            subprocess.run([keygen, "-q", "-N", "", "-t", kind, "-f", folder / name], check=True)
        self.key = note_key("the key of an SSH user", self.key_path.read_text())
        # The public keys of the host by their kind, as `ssh-ed25519 AAAA...`.
        self.host_keys = {kind: " ".join((folder / f"host_{kind}.pub").read_text().split()[:2]) for kind in key_types}
        server = program(
            ["/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server", "/usr/lib/ssh/sftp-server"],
            "openssh-sftp-server",
        )
        lines = [
            f"Port {self.port}",
            "ListenAddress 127.0.0.1",
            *(f"HostKey {folder}/host_{kind}" for kind in key_types),
            f"AuthorizedKeysFile {folder}/client.pub",
            f"PidFile {folder}/pid",
            "StrictModes no",
            "UsePAM no",
            "PermitRootLogin yes",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "MaxStartups 200",
            "MaxSessions 20",
            " ".join(["Subsystem sftp", server, *sftp_server_options]),
            *settings,
        ]
        self._config = folder / "sshd_config"
        self._config.write_text("\n".join(lines) + "\n")
        # A test may wrap it, to start sshd in surroundings of its own.
        self.command: list[object] = [self._sshd, "-D", "-e", "-f", self._config]

    def fingerprint(self, kind: str) -> str:
        """Return the SHA256 fingerprint of a host key."""
        found = subprocess.run(
            ["ssh-keygen", "-l", "-f", self._folder / f"host_{kind}.pub"], check=True, capture_output=True, text=True
        )
        return found.stdout.split()[1]

    def start(self) -> Self:
        """Start it and wait until it listens."""
        if os.geteuid() == 0:
            # Where sshd started by root separates its privileges.
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        with watch_log(self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(self.command, stderr=log, stdout=log, start_new_session=True)
        wait_until(self._listens, what="sshd")
        return self

    @property
    def pid(self) -> int:
        """The process id of sshd."""
        assert self._process is not None
        return self._process.pid

    def _listens(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError((self._folder / "log").read_text())
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        """End it and the processes of its connections."""
        if self._process is not None:
            end(self._process, signal.SIGKILL)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
