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
def test_only_what_heals_by_itself_is_transient(error: Exception | None, heals: bool) -> None:
    """A database that is away or busy is waited for; a wrong statement is the event's own fault."""
    assert is_transient(error) is heals


def test_unavailable_is_judged_by_its_cause() -> None:
    """A database's absence behind Unavailable is transient, another service's is a matter of the one event."""
    database = Unavailable("the database does not answer")
    database.__cause__ = sqlite_error(sqlite3.SQLITE_BUSY)
    assert is_transient(database)
    assert not is_transient(Unavailable("the gateway does not answer"))


def test_pauses_grow_until_it_is_enough() -> None:
    """Each pause is four times the last, up to the longest, and after the last attempt there is none."""
    patience = RetryPolicy(attempts=5, first_pause=100, longest_pause=1_000)
    assert [patience.next_try(failed, 0) for failed in range(1, 6)] == [100, 400, 1_000, 1_000, None]


def test_a_reason_can_be_stored_anywhere() -> None:
    """What a handler says may hold anything; what is kept of it is short and storable."""
    assert reason_of(ValueError("a\0\udcff")) == "ValueError: a\\x00\\udcff"
    assert len(reason_of(ValueError("x" * 10_000))) == 2_000


def test_the_topology_names_who_is_told_what() -> None:
    """Types that nobody is told of may go nowhere; the others must find a queue."""
    told = {"a-svc": (FileStored,), "b-svc": (FileStored, SessionClosed)}
    assert topology.types_of(told, "b-svc") == {"file.stored.v1", "session.closed.v1"}
    assert topology.types_of(told, "c-svc") == frozenset()
    assert topology.consumed(told) == {"file.stored.v1", "session.closed.v1"}


def test_a_handler_too_many_is_refused_as_well() -> None:
    """A handler for an event that never comes is a mistake somewhere."""
    with pytest.raises(ValueError, match=r"session\.closed\.v1"):
        topology.check({"a-svc": (FileStored,)}, "a-svc", frozenset({FileStored, SessionClosed}))
