import pytest

from tests.servers.hub import ManyProcesses, OneMachine


@pytest.fixture(params=["one machine", "many processes"], scope="module")
def hub(request, tmp_path_factory):
    """Return a running demo hub: in one process group, then as one program a service on real servers."""
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
