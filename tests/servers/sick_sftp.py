"""An SFTP server of asyncssh on a thread of this process, whose calls a test replaces by sick ones."""

import asyncio
import logging
import os
import threading
from pathlib import Path
from typing import Any, Self

import asyncssh

from tests.servers.made_secrets import secret

USER = "partner"
PASSWORD = secret("password of SFTP")


async def be_slow(seconds: float) -> None:
    """Let a server take its time: a delay of the far side, and no test's way to wait."""
    await asyncio.sleep(seconds)


class Calls(asyncssh.SFTPServer):
    """The healthy server of a folder; `server` is the `SickSftp` that it belongs to, for counters and hooks."""

    def __init__(self, channel: Any, server: "SickSftp") -> None:
        super().__init__(channel, chroot=os.fsencode(server.root))
        self.server = server

    def local(self, path: bytes) -> Path:
        """Return the path on this machine of a path in a request."""
        return Path(os.fsdecode(self.map_path(path)))


class Plain(Calls):
    """A server without posix-rename and hard links, whose rename refuses a name that is taken."""

    def posix_rename(self, oldpath: bytes, newpath: bytes) -> None:
        raise asyncssh.SFTPOpUnsupported("unknown request")

    def link(self, oldpath: bytes, newpath: bytes) -> None:
        raise asyncssh.SFTPOpUnsupported("unknown request")


class _Door(asyncssh.SSHServer):
    def __init__(self, server: "SickSftp") -> None:
        self._server = server

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._server.open_connections += 1

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.open_connections -= 1

    def begin_auth(self, username: str) -> bool:
        self._server.counts["users"] = self._server.counts.get("users", 0) + 1
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        self._server.counts["passwords"] = self._server.counts.get("passwords", 0) + 1
        return (username, password) == (USER, PASSWORD)


class SickSftp:
    """Listens on a port of loopback; `calls` is the class of its SFTP calls, `counts` what they counted."""

    def __init__(self, root: Path, calls: type[Calls] = Calls, key_type: str = "ssh-ed25519") -> None:
        root.mkdir(exist_ok=True)
        self.root = root
        self.calls = calls
        self.counts: dict[str, int] = {}
        self.open_connections = 0
        self.released = threading.Event()
        self._key = asyncssh.generate_private_key(key_type)
        self.host_key = " ".join(self._key.export_public_key().decode().split()[:2])
        self.fingerprint = self._key.get_fingerprint()
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._ready = threading.Event()

    def count(self, name: str) -> int:
        """Add one to a counter and return it."""
        self.counts[name] = self.counts.get(name, 0) + 1
        return self.counts[name]

    def busy(self) -> bool:
        """Return whether a client is connected."""
        return self.open_connections > 0

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        logging.getLogger("asyncssh").setLevel(logging.CRITICAL)
        listener = self._loop.run_until_complete(
            asyncssh.listen(
                "127.0.0.1",
                0,
                server_factory=lambda: _Door(self),
                server_host_keys=[self._key],
                sftp_factory=lambda channel: self.calls(channel, self),
                encryption_algs=["aes128-gcm@openssh.com"],
                config=None,
            )
        )
        self.port = listener.get_port()
        self._ready.set()
        self._loop.run_forever()
        listener.close()
        if tasks := asyncio.all_tasks(self._loop):
            # Calls that hung are released: their connections close what is open.
            self._loop.run_until_complete(asyncio.wait(tasks, timeout=2))
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(60)
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
