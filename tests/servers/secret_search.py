"""Look for the secrets of the tests in what each test has left: output, logs, answers, databases, views, processes.

`tests/conftest.py` calls it after each test. Configuration files, which a test itself has written, are not looked at.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import psycopg
import requests
from click.testing import CliRunner
from werkzeug.test import Client

from tests.servers.made_secrets import traces

_logs: dict[Path, int] = {}
_answers: list[bytes] = []
_EXPECTED = b"MFT_INTERNAL_KEYS="
_processes: set[str] = set()
_MOST_ANSWERS = 64 << 20
# Larger bodies of a server are files that the test has stored there.
_MOST_BODY = 1 << 20


def watch_log(path: Path) -> Path:
    """Look at what a program writes into a file from now on, after every test."""
    _logs.setdefault(Path(path), 0)
    return path


def watch_answers() -> None:
    """Look at the answers that Flask's test client and `requests` get, and at the output of commands."""
    opened, invoked, sent = Client.open, CliRunner.invoke, requests.Session.send

    def open_and_keep(self, *arguments, **options):
        answer = opened(self, *arguments, **options)
        _keep(str(answer.headers).encode())
        if answer.is_sequence:
            _keep(b"".join(answer.response))
        return answer

    def invoke_and_keep(self, *arguments, **options):
        result = invoked(self, *arguments, **options)
        _keep(result.output_bytes if hasattr(result, "output_bytes") else result.output.encode())
        return result

    def send_and_keep(self, request, **options):
        answer = sent(self, request, **options)
        _keep(str(answer.headers).encode())
        if not options.get("stream") and len(answer.content) <= _MOST_BODY:
            _keep(answer.content)
        return answer

    Client.open, CliRunner.invoke, requests.Session.send = open_and_keep, invoke_and_keep, send_and_keep


def watch_processes(pids: list[int]) -> None:
    """Look at the arguments and the environment of processes now, and report what is found after the test."""
    _processes.update(found_in_processes(pids))


def _keep(answer: bytes) -> None:
    if len(answer) < _MOST_ANSWERS:
        _answers.append(answer)


def found_after_test(output: str, folder: Path | None) -> list[str]:
    """Return where secrets occur that a test has left; `folder` is the test's own, `output` what was captured."""
    found = [f"output: {label}" for label in traces(output.encode(errors="surrogateescape"))]
    found += [f"answer: {label}" for label in traces(b"\0".join(_answers))]
    _answers.clear()
    found += sorted(_processes)
    _processes.clear()
    for log in list(_logs):
        found += [f"{log.name}: {label}" for label in traces(_new_text(log))]
    if folder is not None:
        for database in folder.rglob("*.db"):
            found += [f"{database.name}: {label}" for label in traces(b"\0".join(_rows(database)))]
        for view in folder.rglob("log-views/*"):
            found += [f"{view.name}: {label}" for label in traces(view.read_bytes())]
    return sorted(set(found))


def _new_text(log: Path) -> bytes:
    try:
        with log.open("rb") as file:
            file.seek(_logs[log])
            text = file.read()
    except FileNotFoundError:
        del _logs[log]
        return b""
    _logs[log] += len(text)
    return text


def _rows(database: Path) -> Iterator[bytes]:
    """Yield the values of all rows of a SQLite database."""
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        connection.text_factory = bytes
        with contextlib.suppress(sqlite3.Error):
            tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            for (table,) in tables:
                for row in connection.execute(f'SELECT * FROM "{table.decode()}"'):
                    yield from (value for value in row if isinstance(value, bytes))


def found_in_postgresql(url: str) -> list[str]:
    """Return the tables of a PostgreSQL database in which secrets occur."""
    found = []
    with psycopg.connect(url.replace("postgresql+psycopg:", "postgresql:")) as connection:
        tables = connection.execute(
            "SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables "
            "WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        for (table,) in tables:
            text = b"\0".join(row[0].encode() for row in connection.execute(f"SELECT t::text FROM {table} t"))
            found += [f"{table}: {label}" for label in traces(text)]
    return found


def found_in_processes(pids: list[int]) -> list[str]:
    """Return where secrets occur in the arguments and the environment of processes.

    The key between the services is read from the environment (`MFT_INTERNAL_KEYS`): there it is no finding.
    """
    found = []
    for pid in pids:
        for file in ("cmdline", "environ"):
            with contextlib.suppress(OSError):
                entries = Path(f"/proc/{pid}/{file}").read_bytes().split(b"\0")
                text = b"\0".join(entry for entry in entries if file == "cmdline" or not entry.startswith(_EXPECTED))
                program = Path(f"/proc/{pid}/comm").read_text().strip()
                found += [f"{file} of {program}: {label}" for label in traces(text)]
    return found
