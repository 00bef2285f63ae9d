"""Start pyftpdlib in a process of its own, healthy or with one fault."""

import json
import sys
from pathlib import Path

from mft_common.endpoints.targets import Target, Timeouts
from tests.servers.made_secrets import secret
from tests.servers.processes import free_port, wait_until
from tests.servers.programs import Program
from tests.servers.vsftpd import listens

USER = "partner"
PASSWORD = secret("password of pyftpdlib")
_ROOT = Path(__file__).parents[2]


class Pyftpd:
    """A server of the folder `root`; `faults` are those of `ftp_program`.

    With `tls`, the files of a certificate and its key, it demands TLS, and of data connections the session of a control
    connection. Each of them is noted in `sessions`.
    """

    def __init__(self, folder: Path, *, tls=None, **faults) -> None:
        self.root = folder / "root"
        self.root.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self._tls = tls
        options = {"root": str(self.root), "port": self.port, "user": USER, "password": PASSWORD, **faults}
        if tls is not None:
            options["tls"] = [str(path) for path in tls]
        self._sessions = folder / "sessions"
        # In a file: the options hold the password, which no process may have among its arguments.
        (folder / "options").write_text(json.dumps(options))
        command = [sys.executable, "-W", "ignore", "-m", "tests.servers.ftp_program", str(folder / "options")]
        self.program = Program(["env", "-C", _ROOT, *command], folder / "log")

    def target(self, **changes) -> Target:
        """Return the server's root as a target."""
        fields = {
            "scheme": "ftp" if self._tls is None else "ftps",
            "host": "localhost",
            "port": self.port,
            "user": USER,
            "password": PASSWORD,
            "folder": "/",
            "tls": "" if self._tls is None else "explicit",
            "ca": None if self._tls is None else str(self._tls[0]),
            "timeouts": Timeouts(connect=5.0, idle=20.0),
        }
        return Target(**{**fields, **changes})

    def sessions(self) -> list[str]:
        """Return the version of TLS of every data connection, and 1 where it resumed a session."""
        return self._sessions.read_text().splitlines() if self._sessions.exists() else []

    def __enter__(self):
        self.program.start()
        wait_until(lambda: listens(self.port), what="pyftpdlib")
        return self

    def __exit__(self, *_error):
        self.program.kill()
