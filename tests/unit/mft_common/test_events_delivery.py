import sqlite3

import psycopg
import pytest
import sqlalchemy as sa

from mft_common.database.transient import is_transient
from mft_common.errors import Unavailable
from mft_common.events import RetryPolicy, topology
from mft_common.events.catalogue import FileStored, SessionClosed
from mft_common.events.delivery import reason_of


def sqlite_error(code: int) -> sa.exc.OperationalError:
    error = sqlite3.OperationalError("it went wrong")
    error.sqlite_errorcode = code
    return sa.exc.OperationalError("SELECT 1", {}, error)


@pytest.mark.parametrize(
    ("error", "heals"),
    [
        (sqlite_error(sqlite3.SQLITE_BUSY), True),
        (sqlite_error(sqlite3.SQLITE_IOERR_FSYNC), True),
        (sqlite_error(sqlite3.SQLITE_FULL), True),
        (sqlite_error(sqlite3.SQLITE_ERROR), False),
        (sa.exc.OperationalError("", {}, psycopg.errors.DeadlockDetected()), True),
        (sa.exc.OperationalError("", {}, psycopg.errors.AdminShutdown()), True),
        (sa.exc.OperationalError("", {}, psycopg.OperationalError("connection refused")), True),
        (sa.exc.ProgrammingError("", {}, psycopg.errors.UndefinedTable()), False),
        (sa.exc.IntegrityError("", {}, psycopg.errors.UniqueViolation()), False),
        (sa.exc.TimeoutError(), True),
        (ValueError(), False),
        (None, False),
    ],
    ids=str,
)
def test_only_errors_that_pass_by_themselves_are_transient(error: Exception | None, heals: bool) -> None:
    """A consumer waits for a database that is away or busy; a wrong statement counts against the event."""
    assert is_transient(error) is heals


def test_unavailable_is_judged_by_its_cause() -> None:
    """Unavailable is transient where a database error is its cause, and not where another service is away."""
    database = Unavailable("the database does not answer")
    database.__cause__ = sqlite_error(sqlite3.SQLITE_BUSY)
    assert is_transient(database)
    assert not is_transient(Unavailable("the gateway does not answer"))


def test_pauses_grow_until_it_is_enough() -> None:
    """Each pause is four times the last, up to the longest, and after the last attempt there is none."""
    retries = RetryPolicy(attempts=5, first_pause=100, longest_pause=1_000)
    assert [retries.next_try(failed, 0) for failed in range(1, 6)] == [100, 400, 1_000, 1_000, None]


def test_a_reason_can_be_stored_anywhere() -> None:
    """A handler's error text may hold any characters; the stored reason is short and storable."""
    assert reason_of(ValueError("a\0\udcff")) == "ValueError: a\\x00\\xff"
    assert len(reason_of(ValueError("x" * 10_000))) == 2_000


def test_the_topology_names_the_consumers_of_each_event() -> None:
    """Events without a consumer need no queue; the others must reach one."""
    consumers = {"a-svc": (FileStored,), "b-svc": (FileStored, SessionClosed)}
    assert topology.types_of(consumers, "b-svc") == {"file.stored.v1", "session.closed.v1"}
    assert topology.types_of(consumers, "c-svc") == frozenset()
    assert topology.consumed(consumers) == {"file.stored.v1", "session.closed.v1"}


def test_a_handler_of_an_event_that_never_comes_is_refused() -> None:
    """Handlers and topology differ by a mistake in one of them."""
    with pytest.raises(ValueError, match=r"session\.closed\.v1"):
        topology.check({"a-svc": (FileStored,)}, "a-svc", frozenset({FileStored, SessionClosed}))
