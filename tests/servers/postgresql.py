"""Find a PostgreSQL server, or start one of our own on a free loopback port and in a folder of its own."""

import atexit
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import uuid
from pathlib import Path
from typing import Self

import psycopg
from sqlalchemy import make_url

from tests.servers.processes import end, free_port, program, wait_until

_INITDB = ("/usr/lib/postgresql/*/bin/initdb", "initdb")


class PostgreSQL:
    """A server; its URL names a database whose user may create databases."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url)

    def new_database(self) -> str:
        """Make an empty database and return its URL."""
        name = f"t{uuid.uuid4().hex[:12]}"
        self._execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
        return self._url.set(database=name).render_as_string(hide_password=False)

    def drop_database(self, url: str) -> None:
        """Remove a database and end the connections to it."""
        self._execute(f'DROP DATABASE "{make_url(url).database}" WITH (FORCE)')

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self._dsn(), autocommit=True) as connection:
            connection.execute(statement)

    def _dsn(self) -> str:
        return self._url.set(drivername="postgresql").render_as_string(hide_password=False)

    def close(self) -> None:
        """Do nothing: a server that was found goes on running."""


class OwnPostgreSQL(PostgreSQL):
    """A server of our own; it calls fsync only where `durable` is set, because most tests need no durability."""

    def __init__(self, *, durable: bool = False) -> None:
        self._port = free_port()
        super().__init__(f"postgresql://postgres@127.0.0.1:{self._port}/postgres")
        self._folder = Path(tempfile.mkdtemp(prefix="mft-postgresql-"))
        self._server: subprocess.Popen[bytes] | None = None
        atexit.register(self.close)
        initdb = Path(program(_INITDB, "postgresql")).resolve()
        self._as_user: list[str] = []
        if os.geteuid() == 0:
            # PostgreSQL refuses to run as root.
            user = pwd.getpwnam("postgres")
            os.chown(self._folder, user.pw_uid, user.pw_gid)
            self._as_user = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self._port),
            "unix_socket_directories": "",
            "fsync": "on" if durable else "off",
            "max_connections": "300",
            "shared_buffers": "128MB",
            "autovacuum_naptime": "10s",
        }
        made = [str(initdb), "-D", f"{self._folder}/data", "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8"]
        subprocess.run([*self._as_user, *made, "--locale=C"], check=True, stdout=subprocess.DEVNULL, cwd="/")
        self._command = [str(initdb.parent / "postgres"), "-D", f"{self._folder}/data"]
        for name, value in settings.items():
            self._command += ["-c", f"{name}={value}"]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def start(self) -> None:
        """Start the server and wait until it answers."""
        log = (self._folder / "log").open("ab")
        with log:
            self._server = subprocess.Popen(
                [*self._as_user, *self._command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd="/",
            )
        wait_until(self._answers, within=30, every=0.05, what="PostgreSQL answers")

    def stop(self) -> None:
        """Stop the server and end its connections."""
        if self._server is not None:
            # To the first process alone, which ends its children in order.
            if self._server.poll() is None:
                os.kill(self._server.pid, signal.SIGQUIT)
            self._server.wait(30)
            end(self._server)
        self._server = None

    def close(self) -> None:
        """Stop the server and remove its folder."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _answers(self) -> bool:
        assert self._server is not None
        if self._server.poll() is not None:
            raise RuntimeError(f"PostgreSQL ended at start:\n{(self._folder / 'log').read_text()[-3000:]}")
        try:
            psycopg.connect(self._dsn(), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


def find_or_start() -> PostgreSQL:
    """Return the server of MFT_TEST_POSTGRES_URL, or one of our own."""
    given = os.environ.get("MFT_TEST_POSTGRES_URL")
    if given:
        return PostgreSQL(given)
    server = OwnPostgreSQL()
    server.start()
    return server
