import os

import pytest

from tests.servers.hub import Compose, ManyProcesses, OneMachine

# `deploy/compose-check` runs the same scenario against the containers that it has brought up.
SHAPES = ["compose"] if os.environ.get("MFT_TEST_SHAPE") == "compose" else ["one machine", "many processes"]


@pytest.fixture(params=SHAPES, scope="module")
def hub(request, tmp_path_factory):
    """Return a running demo hub of each shape in turn: one process group, and one program a service on real servers."""
    if request.param == "compose":
        yield Compose().start()
        return
    folder = tmp_path_factory.mktemp("hub")
    if request.param == "one machine":
        made = OneMachine(folder)
        try:
            yield made.start()
        finally:
            made.kill()
        return
    databases = request.getfixturevalue("postgresql_server")
    broker = request.getfixturevalue("rabbitmq_server")
    url, vhost = databases.new_database(), broker.new_vhost()
    made = ManyProcesses(folder, database_url=url, amqp_url=broker.url(vhost))
    try:
        yield made.start()
    finally:
        made.kill()
        databases.drop_database(url)
        broker.drop_vhost(vhost)


@pytest.fixture
def start(tmp_path):
    """Return a function that starts a hub on this test's data folder; hubs are killed when the test ends."""
    made = []

    def new(*options, **more):
        hub = OneMachine(tmp_path, *options, **more)
        made.append(hub)
        return hub.start()

    yield new
    for hub in made:
        hub.kill()
