"""A hub with agents over two folders, and a worker for its managed transfers, over both kinds of database."""

import contextlib
import threading

import pytest
import sqlalchemy as sa

from mft_common.events import LocalBus
from mft_common.process.background_tasks import start_tasks
from mqmft_svc.store.tables import managed, sweeps
from tests.servers.made_secrets import secret
from tests.servers.processes import free_port, wait_until
from tests.servers.silent_peer import Peer
from tests.service.mqmft_svc.mqmft_hub import caller

PATIENT = {"connect": "10m", "idle": "1h"}
PASSWORD = secret("password-of-agents")
CSRF = {"ibm-mq-rest-csrf-token": ""}
AGENTS = {
    "QUAY": {"qmgr": "QM1", "root": "file:quay"},
    "YARD": {"qmgr": "QM1", "root": "file:yard"},
    "ONE": {"qmgr": "QM1", "root": "file:quay", "maximum_source_transfers": 1},
    "HANGS": {"qmgr": "QM1", "root": "endpoint:hangs", "maximum_source_transfers": 1},
    "AWAY": {"qmgr": "QM1", "root": "endpoint:away"},
}


@pytest.fixture
def peer():
    """A server that accepts connections and never answers."""
    made = Peer()
    yield made
    made.close()


@pytest.fixture
def make(tmp_path, open_hub, runner, peer):
    """Return a function that builds the service with agents, as another process does."""
    for folder in ("quay", "yard"):
        (tmp_path / folder).mkdir()

    def make(agents=AGENTS):
        endpoints = {
            name: {"url": f"ftp://user@127.0.0.1:{port}/in", "password": {"env": "PASSWORD"}, "timeouts": PATIENT}
            for name, port in (("hangs", peer.port), ("away", free_port()))
        }
        config = {"ibm_mq_mft": {"coordination_qmgr": "QM1", "agents": agents}, "endpoints": endpoints}
        return open_hub(config, {"PASSWORD": PASSWORD}, runner=runner)

    return make


@pytest.fixture
def hub(make):
    """A hub with agents over two folders."""
    return make()


@pytest.fixture
def recorded(hub):
    """Let the events of the hub become its record until the test ends."""
    bus = LocalBus({"mqmft-svc": hub.service.database})
    tasks = [
        task for task in hub.service.background_tasks(bus) if not task.name.endswith(("managed", "agents", "calls"))
    ]
    with running(tasks):
        yield


@contextlib.contextmanager
def running(tasks):
    """Run background tasks within the block."""
    stop = threading.Event()
    threads = start_tasks(tasks, stop)
    try:
        yield stop
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)


@contextlib.contextmanager
def dispatching(dispatcher):
    """Let a dispatcher work within the block, as that of one worker of its own."""
    stop = threading.Event()
    thread = threading.Thread(target=dispatcher.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30)


@contextlib.contextmanager
def worker(hub):
    """Carry out transfers and their calls within the block."""
    with dispatching(hub.service.dispatcher()), dispatching(hub.service.transfer_call_dispatcher()):
        yield


def submit(hub, *items, source="QUAY", destination="YARD", **transfer_set):
    """Submit items, each `(source, destination)` with more members of both and of the item; return the id."""
    given = []
    for name, target, *more in items:
        sides, rest = ({}, {}, {}), more[0] if more else {}
        for key, value in rest.items():
            place = {"s": 0, "d": 1}.get(key.partition("_")[0], 2)
            sides[place][key.partition("_")[2] if place < 2 else key] = value
        given.append({"source": {"name": name, **sides[0]}, "destination": {"name": target, **sides[1]}, **sides[2]})
    body = {
        "sourceAgent": {"name": source, "qmgrName": "QM1"},
        "destinationAgent": {"name": destination, "qmgrName": "QM1"},
        "transferSet": {"item": given, **transfer_set},
    }
    answer = hub.mft(method="POST", json=body, headers=CSRF)
    assert answer.status_code == 202, answer.json
    return answer.headers["Location"].rpartition("/")[2]


def whole(hub, id_):
    """Return all attributes of a transfer."""
    (found,) = hub.mft(f"/{id_}?attributes=*").json["transfer"]
    return found


def ended(hub, id_, within=60):
    """Wait for the end of a transfer, and return all its attributes."""
    return wait_until(lambda: whole(hub, id_) if whole(hub, id_)["statistics"]["endTime"] else None, within=within)


def stop(hub, id_):
    """Ask to stop a transfer."""
    assert hub.mft(f"/{id_}", method="DELETE", headers=CSRF).status_code == 202


def row(hub, id_):
    """Return the row of a transfer."""
    with hub.service.database.read() as connection:
        return connection.execute(sa.select(managed).where(managed.c.id == id_)).one()


def files(folder):
    """Return the names and contents of a folder's files."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def state(hub, name):
    """Return the state of an agent."""
    return hub.agents(f"/{name}", identity=caller()).json["agent"][0]["state"]


def left(hub):
    """Return how often the removal of what each transfer has left was begun."""
    with hub.service.database.read() as connection:
        return {row.transfer: row.tries for row in connection.execute(sa.select(sweeps))}
