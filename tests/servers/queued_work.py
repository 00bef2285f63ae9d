"""Queued pieces of work in a table, as a dispatcher of `mft_common.dispatch` runs them in real children."""

import threading

import sqlalchemy as sa

from mft_common.database import leases
from mft_common.database.leases import LeaseLost, Leases
from mft_common.database.workers import Workers
from mft_common.dispatch import ChildProcess, Dispatcher, Limits, StopRequest
from mft_common.process.worker_lock import Shared

METADATA = sa.MetaData()
WORKERS = Workers(Leases(METADATA))
PIECES = sa.Table(
    "pieces",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    # A function of `tests.servers.pieces_of_work`.
    sa.Column("function", sa.String(40), nullable=False),
    # waiting, running, or the piece's end.
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("owner", sa.String(64), nullable=False),
    # How a running piece is to end, "" where nobody asked.
    sa.Column("asked", sa.String(20), nullable=False),
)
TABLES = (leases.create_table, PIECES)
MODULE = "tests.servers.pieces_of_work"
C = PIECES.c
_REQUESTS = {"stop": StopRequest("stopped"), "kill": StopRequest("killed", now=True)}


def add(database, *functions):
    """Queue pieces; they are numbered from 1 on."""
    rows = [
        {"number": number, "function": function, "state": "waiting", "owner": "", "asked": ""}
        for number, function in enumerate(functions, 1)
    ]
    with database.write() as connection:
        connection.execute(sa.insert(PIECES), rows)


def ask(database, number, how):
    """Ask for the end of a piece: `stop`, or `kill`."""
    with database.write() as connection:
        connection.execute(sa.update(PIECES).where(C.number == number).values(asked=how))


def states(database):
    """Return the states of all pieces, in their order."""
    with database.read() as connection:
        return list(connection.execute(sa.select(C.state).order_by(C.number)).scalars())


def owners(connection):
    """Return the owners of the running pieces."""
    rows = connection.execute(sa.select(C.number, C.owner).where(C.state == "running"))
    return {row.number: row.owner for row in rows}


class PieceProcess(ChildProcess):
    """One piece in a child of the runner; `child_end` is how the child ended."""

    def __init__(self, work, lease, number, function):
        super().__init__(work.runner, f"{MODULE}:{function}", {"how": "pause"} if function == "hang" else number)
        self._work, self._lease, self._number, self.child_end = work, lease, number, None

    def _on_message(self, kind, data):
        return self._work.on_message(kind, data)

    def _end(self, state):
        self._work.end(self._number, self._lease.owner, self._asked or state)

    def _ended(self, end):
        self.child_end = end
        self._end("done" if end.completed else "failed")

    def _no_process(self, error):
        self._end(type(error).__name__)

    def _too_large(self, error):
        self._end("too large")

    def _log_lost(self):
        self._work.lost.append(self._number)


class QueuedWork:
    """The pieces, as the work of a dispatcher; `taken` are the numbers of those that this worker took, in order.

    `lost` are the numbers of those whose end could not be stored, because they were another's. `looks` is how often it
    found that a piece waits.
    """

    interrupted = "interrupted"

    def __init__(self, database, runner, limits):
        self.database, self.runner, self.limits = database, runner, limits
        self.taken, self.lost, self.begun, self.prepared = [], [], threading.Semaphore(0), []
        self.fault, self.faults, self.looks = None, 0, 0

    def on_message(self, kind, data):
        """Count the children that have begun."""
        self.begun.release()
        return kind, data

    def refresh(self, connection):
        """See Work."""
        return self.limits

    def recover(self, *, exclusive=False, owner="", running=()):
        """End the pieces of dead workers as `lost`."""
        with self.database.write() as connection:
            lost = WORKERS.find_lost(connection, owners, exclusive=exclusive, owner=owner, running=running)
            WORKERS.remove_dead(connection, lost.dead)
            if lost.pieces:
                connection.execute(sa.update(PIECES).where(C.number.in_(lost.pieces)).values(state="lost"))
        return len(lost.pieces)

    def prepare(self):
        """Note the workers that are signed in meanwhile."""
        with self.database.read() as connection:
            self.prepared.append(WORKERS.find_alive(connection))

    def is_waiting(self):
        """See Work."""
        if self.fault is not None:
            self.faults += 1
            raise self.fault
        found = "waiting" in states(self.database)
        self.looks += found
        return found

    def take(self, lease, begin):
        """Take the waiting piece with the smallest number."""
        with self.database.write() as connection:
            first = sa.select(sa.func.min(C.number)).where(C.state == "waiting").scalar_subquery()
            taken = sa.update(PIECES).where(C.number == first, C.state == "waiting")
            row = connection.execute(
                taken.values(state="running", owner=lease.owner).returning(C.number, C.function)
            ).one_or_none()
        if row is None:
            return False
        self.taken.append(row.number)
        begin(row.number, f"request-{row.number}", PieceProcess(self, lease, row.number, row.function))
        return True

    def stop_requests(self, owner):
        """See Work."""
        wanted = sa.select(C.number, C.asked).where(C.state == "running", C.owner == owner, C.asked != "")
        with self.database.read() as connection:
            rows = connection.execute(wanted).all()
        return {number: _REQUESTS[how] for number, how in rows}

    def end(self, number, owner, end):
        """Store the end of a piece; LeaseLost where it is another's by now."""
        mine = sa.update(PIECES).where(C.number == number, C.owner == owner, C.state == "running")
        with self.database.write() as connection:
            if connection.execute(mine.values(state=end)).rowcount != 1:
                raise LeaseLost(f"the piece {number} belongs to another worker, or is over")


class Worker:
    """A dispatcher in a thread; `fault` is what it raised."""

    def __init__(self, database, runner, *, at_once=4, lease=15.0, grace=0.0, **options):
        self.work = QueuedWork(database, runner, Limits(at_once, lease, grace))
        self.dispatcher = Dispatcher(self.work, database, WORKERS, **{"lock": Shared(), **options})
        self.stop = threading.Event()
        self.fault = None
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        try:
            self.dispatcher.run(self.stop)
        except Exception as error:  # noqa: BLE001 -- the test looks at it
            self.fault = error

    def start(self):
        """Start it."""
        self._thread.start()
        return self

    def end(self):
        """Stop it, and wait for its end, and for the threads of its pieces: they use the database."""
        self.stop.set()
        self._thread.join()
        for one in list(self.dispatcher._running.values()):
            one.thread.join()

    def join(self):
        """Wait until it ends by itself."""
        self._thread.join(20)
        assert not self._thread.is_alive()
