"""A directory in its own process and over HTTP, on SQLite and PostgreSQL: the suites expect the same of all four."""

import threading

import pytest
from werkzeug.serving import make_server

from gateway import routes
from gateway.operations import Operations
from gateway.operations.passwords import Passwords
from gateway.store.tables import metadata, open_database
from mft_common import directory as d
from mft_common.identity import Signer
from tests.servers import processes
from tests.servers.directory_hub import ACCOUNTS, Hub, Time


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def directory_database(request, tmp_path_factory):
    """Return a database of each kind in turn."""
    if request.param == "sqlite":
        opened = open_database(f"sqlite:///{tmp_path_factory.mktemp('gateway')}/gateway.db")
        yield opened
        opened.close()
        return
    server = request.getfixturevalue("postgresql_server")
    url = server.new_database()
    opened = open_database(url)
    yield opened
    opened.close()
    server.drop_database(url)


@pytest.fixture
def empty_database(directory_database):
    """Return the database with empty tables."""
    with directory_database.write() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
    return directory_database


@pytest.fixture(params=["local", "remote"])
def hub(request, empty_database):
    """Return a hub that is called in this process, and one that is called over HTTP."""
    time = Time()
    operations = Operations(
        empty_database,
        clock=time,
        passwords=Passwords(4, memory_kib=64),
    )
    operations.apply_accounts(ACCOUNTS)
    if request.param == "local":
        yield Hub(empty_database, operations, operations, time)
        return
    signer = Signer(["a key"])
    port = processes.free_port()
    server = make_server("127.0.0.1", port, routes.create(operations, signer, {}, port), threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    remote = d.RemoteDirectory(f"http://127.0.0.1:{port}", signer)
    yield Hub(empty_database, operations, remote, time)
    remote.close()
    server.shutdown()
    thread.join()
    server.server_close()
