"""Sessions cost one read, are written rarely, and count the same for every process."""

import hashlib
import subprocess
import sys
import threading

import pytest
import sqlalchemy as sa

from gateway.domain import AccountSpec
from gateway.store import sessions
from mft_common.errors import Unavailable

PROGRAM = """
import sys
from concurrent.futures import ThreadPoolExecutor
from gateway.operations import Operations
from gateway.operations.passwords import Passwords
from gateway.store.tables import open_database
from mft_common.directory import Opened

operations = Operations(open_database(sys.argv[1]), passwords=Passwords(memory_kib=64))
sys.stdin.readline()
with ThreadPoolExecutor(10) as threads:
    answers = list(threads.map(
        lambda _: operations.open_session(service="diplomat-svc", account="part1", limit=10), range(10)
    ))
print(sum(isinstance(answer, Opened) for answer in answers))
"""


@pytest.fixture(autouse=True)
def account(operations):
    """Make the account whose sessions these are."""
    operations.apply_accounts([AccountSpec(name="part1", password="partner1")])


def test_limit_holds_across_processes(operations, database):
    """Four processes that open ten sessions each under a limit of ten get ten together."""
    command = [sys.executable, "-c", PROGRAM, str(database.url)]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    opened = [int(process.communicate("\n", timeout=60)[0]) for process in processes]
    assert sum(opened) == 10
    assert len(operations.list_sessions("diplomat-svc")) == 10


def test_uses_are_written_rarely(operations, database, time):
    """A session in steady use is written once in a sixtieth of its idle limit."""
    token = operations.open_session(service="diplomat-svc", account="part1", idle=60.0).token
    seen = set()
    for _ in range(100):
        time.now += 100
        seen.add(operations.find_session("diplomat-svc", token)[0].seen_at)
    assert 9 <= len(seen) <= 11


def test_a_session_is_found_while_nothing_can_be_written(operations, database, time):
    """On a full disk a use is not written, and the request goes on until the session's idle limit."""
    token = operations.open_session(service="diplomat-svc", account="part1", idle=60.0).token

    @sa.event.listens_for(database.engine, "begin")
    def refuse_writing(connection):
        connection.exec_driver_sql("PRAGMA query_only = ON")

    time.now += 30_000
    assert operations.find_session("diplomat-svc", token)
    with pytest.raises(Unavailable):
        operations.open_session(service="diplomat-svc", account="part1")
    time.now += 31_001
    assert operations.find_session("diplomat-svc", token) is None


def test_many_threads_one_session(operations, time):
    """All threads find a session at the moment at which one of them writes its use."""
    token = operations.open_session(service="diplomat-svc", account="part1", idle=60.0).token
    time.now += 5000
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(operations.find_session("diplomat-svc", token))) for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(found)
    assert operations.find_session("diplomat-svc", token)[0].seen_at == time.now


def test_closed_while_used(operations, database, time):
    """A use never brings back a session that another replica closes."""
    opened = operations.open_session(service="diplomat-svc", account="part1", idle=60.0)
    time.now += 5000
    operations.close_session("diplomat-svc", opened.session.public_id)
    with database.write() as connection:
        sessions.touch(connection, hashlib.sha256(opened.token.encode()).digest(), time.now, time.now + 60_000)
    assert operations.find_session("diplomat-svc", opened.token) is None
    assert operations.list_sessions("diplomat-svc") == ()


def test_no_token_is_stored(operations, database, tmp_path):
    """The database's file holds no token."""
    tokens = [
        operations.open_session(service="diplomat-svc", account="part1", token_form=form, token_bytes=32).token
        for form in ("hex", "base64", "urlsafe")
    ]
    database.close()
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert not any(token.encode() in stored or bytes.fromhex(tokens[0]) in stored for token in tokens)


def test_sweep_in_batches(operations, time):
    """All expired sessions are closed, in batches of one transaction each."""
    for _ in range(250):
        operations.open_session(service="diplomat-svc", account="part1", idle=1.0)
    time.now += 10_000
    assert operations.sweep_sessions() == 250
    assert operations.sweep_sessions() == 0


def test_lowered_limit(operations):
    """With more sessions open than a lowered limit allows, a closed one still makes room for the next."""
    opened = [operations.open_session(service="diplomat-svc", account="part1") for _ in range(3)]
    operations.open_session(service="diplomat-svc", account="part1", limit=1, replace_token=opened[0].token)
    assert len(operations.list_sessions("diplomat-svc")) == 3


def test_database_away(operations, database, tmp_path):
    """A missing database is Unavailable, and used again when it is back."""
    token = operations.open_session(service="diplomat-svc", account="part1").token
    database.close()
    (tmp_path / "gateway.db").rename(tmp_path / "elsewhere.db")
    (tmp_path / "gateway.db").mkdir()
    with pytest.raises(Unavailable):
        operations.find_session("diplomat-svc", token)
    (tmp_path / "gateway.db").rmdir()
    (tmp_path / "elsewhere.db").rename(tmp_path / "gateway.db")
    assert operations.find_session("diplomat-svc", token)
