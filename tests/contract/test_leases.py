"""Leases on both kinds of database: one owner at a time, fences, lapses, and a worker that freezes (E13)."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from mft_common.database import leases
from mft_common.database.leases import Lease, LeaseLost, Leases
from tests.servers.databases import with_tables
from tests.servers.processes import wait_until

METADATA = sa.MetaData()
LEASES = Leases(METADATA)
DONE = sa.Table("done", METADATA, sa.Column("piece", sa.Integer), sa.Column("owner", sa.String(64)))
TTL = 1.0


@pytest.fixture
def database(database_url):
    """A database with the table as a migration makes it, and a table of finished work."""
    with with_tables(database_url, METADATA, leases.create_table, DONE) as made:
        yield made


def claim(database, key, owner, ttl=60.0):
    with database.write() as connection:
        return LEASES.claim(connection, key, owner, ttl)


def do(database, method, *arguments):
    with database.write() as connection:
        return getattr(LEASES, method)(connection, *arguments)


def lapse(database, key):
    """Put the end of a lease into the past."""
    with database.write() as connection:
        connection.execute(sa.text("UPDATE leases SET until = 0 WHERE key = :key"), {"key": key})


def test_a_key_has_one_owner_until_it_is_released_and_fences_grow(database):
    """A second claim gets nothing, the owner's own included; each later owner has a higher fence."""
    first = claim(database, "job/1", "a")
    assert first == Lease("job/1", "a", 1, 60.0)
    assert claim(database, "job/1", "b") is None
    assert claim(database, "job/1", "a") is None
    assert do(database, "release", first)
    second = claim(database, "job/1", "b")
    assert second.fence == 2
    assert not do(database, "release", first)
    assert do(database, "owner", "job/1") == "b"


def test_an_owner_whose_lease_lapsed_can_neither_renew_nor_write(database):
    """Lapsed is over, also while nobody else has claimed the work; the next owner has a fence of its own."""
    former = claim(database, "job/1", "a")
    do(database, "hold", former)
    assert do(database, "renew", former)
    lapse(database, "job/1")
    assert not do(database, "renew", former)
    assert not do(database, "lasts", former)
    with pytest.raises(LeaseLost):
        do(database, "hold", former)
    assert do(database, "lapsed", "job/") == ["job/1"]
    now = claim(database, "job/1", "a")
    assert now.fence == 2
    with pytest.raises(LeaseLost):
        do(database, "hold", former)
    do(database, "hold", now)


def test_lapsed_keys_are_found_by_prefix_and_forgotten(database):
    """Only the keys of one kind are listed; an underscore of a prefix is no wildcard."""
    for key in ("job_1/a", "job_1/b", "jobs1/a"):
        claim(database, key, "x")
        lapse(database, key)
    claim(database, "job_1/alive", "x")
    assert do(database, "lapsed", "job_1/") == ["job_1/a", "job_1/b"]
    with database.read() as connection:
        assert LEASES.lapsed(connection, "job_1/", everyone=True) == ["job_1/a", "job_1/alive", "job_1/b"]
    do(database, "forget", "job_1/a", "job_1/b")
    assert do(database, "any_owned", "job_1/")
    do(database, "forget", "job_1/alive")
    assert not do(database, "any_owned", "job_1/")
    assert do(database, "owner", "jobs1/a") == "x"


def test_of_many_claims_at_once_one_succeeds(database):
    """Twenty claims of one key at the same time: one owner, first on a new key, then on a lapsed one."""
    for fence in (1, 2, 3):
        with ThreadPoolExecutor(20) as pool:
            found = [lease for lease in pool.map(lambda n: claim(database, "k", f"w{n}"), range(20)) if lease]
        assert [lease.fence for lease in found] == [fence]
        lapse(database, "k")


@pytest.mark.parametrize("jump", [-86_400, 86_400])
def test_a_jump_of_this_machines_clock_takes_no_work_away(database, monkeypatch, jump):
    """A day forward or back on the wall clock of one process changes neither its own leases nor others'."""
    mine, other = claim(database, "mine", "a"), claim(database, "other", "b")
    real, real_ns = time.time, time.time_ns
    monkeypatch.setattr(time, "time", lambda: real() + jump)
    monkeypatch.setattr(time, "time_ns", lambda: real_ns() + jump * 10**9)
    assert do(database, "lapsed") == []
    assert do(database, "renew", mine)
    assert claim(database, "other", "a") is None
    do(database, "hold", other)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_after_a_reboot_every_lease_of_a_sqlite_database_has_lapsed(database, monkeypatch, tmp_path):
    """The monotonic clock begins anew with each boot, so a lease of another boot never lasts."""
    before = claim(database, "k", "a")
    (tmp_path / "boot").write_text("another\n")
    monkeypatch.setattr(leases, "_BOOT", tmp_path / "boot")
    assert not do(database, "renew", before)
    assert claim(database, "k", "b").fence == 2


def test_a_claim_waits_for_a_write_that_holds_the_lease(database):
    """Between `hold` and the commit nobody gets the work, even when the lease lapses meanwhile."""
    # PostgreSQL ends the session of an owner that does nothing within a transaction for as long as its lease.
    lease = claim(database, "k", "a", ttl=3 * TTL)
    order = []
    holding, commit = threading.Event(), threading.Event()

    def write():
        with database.write() as connection:
            LEASES.hold(connection, lease)
            connection.execute(sa.insert(DONE).values(piece=1, owner="a"))
            holding.set()
            commit.wait(60)
            order.append("committed")

    def steal():
        taken = wait_until(lambda: claim(database, "k", "b"), within=20)
        order.append(f"claimed {taken.fence}")

    writer, thief = threading.Thread(target=write), threading.Thread(target=steal)
    writer.start()
    assert holding.wait(60)
    thief.start()
    threading.Event().wait(TTL * 0.5)
    assert order == []
    commit.set()
    for thread in (writer, thief):
        thread.join()
    assert order == ["committed", "claimed 2"]


WORKER = textwrap.dedent("""
    import sys
    from tests.contract.test_leases import DONE, LEASES, METADATA, TTL, LeaseLost
    from tests.servers.databases import opened
    import sqlalchemy as sa
    url, owner, pause = sys.argv[1:]
    database = opened(url, METADATA)
    for piece in range(12):
        with database.write() as connection:
            over = connection.execute(sa.select(DONE.c.piece).where(DONE.c.piece == piece)).first()
            lease = None if over else LEASES.claim(connection, f"piece/{piece}", owner, TTL)
        if lease is None:
            continue
        if pause == "before":
            print("claimed", piece, flush=True)
            sys.stdin.readline()
        try:
            with database.write() as connection:
                LEASES.hold(connection, lease)
                if pause == "within":
                    print("holding", piece, flush=True)
                    sys.stdin.readline()
                connection.execute(sa.insert(DONE).values(piece=piece, owner=owner))
        except LeaseLost:
            print("lost", piece, flush=True)
        except Exception as error:
            print("failed", type(error).__name__, flush=True)
            break
    print("end", flush=True)
""")


def start(url, owner, pause="none"):
    arguments = [sys.executable, "-c", WORKER, url, owner, pause]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    return subprocess.Popen(arguments, text=True, env=environment, **pipes)


def finish(worker):
    """Let a worker go on, and return what it prints until its end."""
    return worker.communicate("\n" * 20, timeout=60)[0].splitlines()


@pytest.mark.parametrize("others", [1, 2, 3])
def test_workers_and_a_frozen_one_do_each_piece_once_e13(database, database_url, others):
    """A worker stopped past its lease writes nothing when it wakes; the others do its piece, and each one once."""
    frozen = start(database_url, "frozen", "before")
    assert frozen.stdout.readline() == "claimed 0\n"
    frozen.send_signal(signal.SIGSTOP)

    def finished():
        with database.read() as connection:
            return connection.execute(sa.select(DONE.c.piece, DONE.c.owner).order_by(DONE.c.piece)).all()

    deadline = time.monotonic() + 60
    while len(finished()) < 12:
        assert time.monotonic() < deadline
        workers = [start(database_url, f"w{number}") for number in range(others)]
        assert all(finish(worker)[-1] == "end" for worker in workers)
    before = finished()
    frozen.send_signal(signal.SIGCONT)
    assert finish(frozen)[:1] == ["lost 0"]
    assert finished() == before
    assert [row.piece for row in before] == list(range(12))
    assert "frozen" not in {row.owner for row in before}


@pytest.mark.parametrize("change", ["claim", "renew", "hold", "release"])
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_an_owner_that_freezes_within_any_change_of_its_lease_locks_it_for_its_ttl_alone(database, change):
    """The transaction is left open where the owner was stopped; the lease goes to another all the same."""
    given = ("piece", "frozen", TTL) if change == "claim" else (claim(database, "piece", "frozen", TTL),)
    with database.engine.connect() as frozen:
        getattr(LEASES, change)(frozen, *given)
        assert wait_until(lambda: claim(database, "piece", "other"), within=20).owner == "other"
        with pytest.raises(sa.exc.InternalError, match="idle-in-transaction"):
            frozen.execute(sa.text("SELECT 1"))


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_process_that_freezes_within_any_transaction_keeps_its_locks_for_a_minute_at_most(database):
    """The server has the limit of each session, whatever its transactions do."""
    with database.write() as connection:
        limit = connection.execute(sa.text("SHOW idle_in_transaction_session_timeout")).scalar()
    assert limit == "1min"


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_worker_that_freezes_within_its_write_is_ended_by_postgresql(database, database_url):
    """The server ends the session of a frozen owner after another lease, so that its work goes to another."""
    frozen = start(database_url, "frozen", "within")
    assert frozen.stdout.readline() == "holding 0\n"
    frozen.send_signal(signal.SIGSTOP)
    taken = wait_until(lambda: claim(database, "piece/0", "other"), within=20)
    assert taken.fence == 2
    frozen.send_signal(signal.SIGCONT)
    assert finish(frozen)[0].startswith("failed")
    with database.read() as connection:
        assert connection.execute(sa.select(DONE)).all() == []
