"""The gateway is wired from its settings and the configuration file."""

import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from werkzeug.test import Client

from gateway import bootstrap, events
from gateway.app import create_app
from gateway.settings import Settings
from gateway.store.tables import metadata
from mft_common import directory as d
from mft_common.config import Reader
from mft_common.errors import ConfigError
from mft_common.events.local_bus import LocalBus
from mft_common.http1 import WsgiUpstream
from mft_common.identity import HEADER, Identity, Signer

CONFIGURATION = """
accounts:
  part1: {password: {file: part1.secret}, grants: {http_mft: {}}}
  operator: {grants: {data_protector: {trusted: true}}}
data_protector: {unknown_users: deny, folders: {}}
"""


@pytest.fixture
def settings(tmp_path):
    """Return a function that makes settings, with a configuration file beside the database."""
    (tmp_path / "crossdock.yaml").write_text(CONFIGURATION)
    (tmp_path / "part1.secret").write_text("partner1\n")

    def make(**more):
        values = {
            "database_url": f"sqlite:///{tmp_path}/state/gateway/gateway.db",
            "internal_keys": ("a key",),
            "config": f"{tmp_path}/crossdock.yaml",
            "loopback_only": True,
        }
        return Settings(**{**values, **more})

    return make


def test_configured(settings):
    """The file's accounts can log in, and its rules for unknown users hold."""
    service = bootstrap.build_from_file(settings(), {})
    assert isinstance(service.operations.verify("filestore-svc", "part1", "partner1", "192.0.2.1"), d.Account)
    assert isinstance(service.operations.prompts("operator", "127.0.0.1"), d.Trusted)
    assert service.operations.prompts("nobody", "192.0.2.1") == d.Denied()
    service.close()


def test_environment_wins(settings):
    """A rule for unknown users in the environment wins over the file."""
    service = bootstrap.build_from_file(settings(unknown_users="challenge"), {})
    assert isinstance(service.operations.prompts("nobody", "192.0.2.1"), d.Challenge)
    service.close()


def test_bad_configuration_is_refused_whole(settings):
    """A configuration with problems changes nothing."""
    with pytest.raises(ConfigError) as failed:
        bootstrap.build_from_file(settings(loopback_only=False), {})
    assert [problem.split(": ")[0] for problem in failed.value.problems] == [
        "accounts.operator.grants.data_protector.trusted_from"
    ]


def test_tables_are_those_of_the_migration(settings):
    """The migrations make exactly the tables that the program defines."""

    def wanted(_object, name, *_more):
        return name != "outbox_order"  # PostgreSQL alone has it

    service = bootstrap.build(settings())
    with service.database.read() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": wanted})
        assert compare_metadata(context, metadata) == []
    service.close()


def test_worker_closes_what_expired(settings):
    """The worker's tasks run until they are stopped, and sweep at once."""
    service = bootstrap.build_from_file(settings(), {})
    service.operations.open_session(service="filestore-svc", account="part1", idle=0.0)
    parts = {part.name: part for part in service.background_tasks(LocalBus({"gateway": service.database}))}
    stop = threading.Event()
    thread = threading.Thread(target=parts["sessions.sweep"].run, args=(stop,))
    thread.start()
    stop.set()
    thread.join()
    assert service.operations.sweep_sessions() in (0, 1)
    assert service.operations.sweep_sessions() == 0
    service.close()


def call(application, path, port):
    """Ask for a page as a service does that knows the internal key."""
    header = {HEADER: Signer(["a key"]).dumps(Identity(request_id="r", address="", account="system"), "gateway")}
    return Client(application).post(path, json={}, headers=header, base_url=f"http://gateway:{port}").status_code


def test_application(settings):
    """The public port serves the protocols and health, the internal port the directory."""
    service = bootstrap.build(settings(internal_port=9081))
    application = create_app(service, upstreams={})
    assert Client(application).get("/readyz").status_code == 200
    assert call(application, "/internal/v1/directory/ping", 9081) == 200
    assert call(application, "/internal/v1/directory/ping", 8080) == 404
    assert Client(application).get("/diplomat/APIRequest").status_code == 501
    service.close()


def test_clients_of_a_local_proxy_are_not_of_this_machine(settings):
    """Behind a proxy that is not trusted, no client sees the metrics, and a trusted account is asked its prompts."""
    service = bootstrap.build_from_file(settings(), {})
    asked = []

    def protector(environ, start_response):
        asked.append(service.operations.prompts("operator", environ["crossdock.identity"].address))
        start_response("200 OK", [])
        return []

    client = Client(create_app(service, upstreams={"sertainty-svc": WsgiUpstream(protector)}))
    local = {"environ_base": {"REMOTE_ADDR": "127.0.0.1"}}
    forwarded = {**local, "headers": {"X-Forwarded-For": "203.0.113.9"}}
    assert [client.get("/metrics", **how).status_code for how in (local, forwarded)] == [200, 403]
    for how in (local, forwarded):
        client.post("/dataprotector", **how)
    assert [type(answer) for answer in asked] == [d.Trusted, d.Denied]
    service.close()


def test_rules_reach_other_processes(settings):
    """A rule that one process applies holds in another one, until it is no longer configured."""
    bootstrap.build_from_file(settings(), {}).close()
    other = bootstrap.build_with(settings(), None, Reader(Path(), {}))
    assert other.operations.prompts("nobody", "192.0.2.1") == d.Denied()
    assert other.operations.account("filestore-svc", "part1")
    bootstrap.build_with(settings(), {"data_protector": {}}, Reader(Path(), {})).close()
    assert isinstance(other.operations.prompts("nobody", "192.0.2.1"), d.Challenge)
    assert other.operations.account("filestore-svc", "part1") is None
    other.close()


def test_which_services_take_basic_reaches_other_processes(settings):
    """`basic_auth` of a section holds in processes that apply nothing, until it is no longer configured."""
    other = bootstrap.build_with(settings(), None, Reader(Path(), {}))
    assert not other.operations.takes_basic("filestore-svc")
    for section, taken in (({"basic_auth": True}, True), ({"basic_auth": "yes"}, False), (None, False), ([], False)):
        bootstrap.build_with(settings(), {"http_mft": section}, Reader(Path(), {})).close()
        assert other.operations.takes_basic("filestore-svc") is taken
    assert not other.operations.takes_basic("diplomat-svc")
    other.close()


def test_origins_reach_other_processes(settings):
    """`origins` of a section hold in processes that apply nothing, until they are no longer configured."""
    other = bootstrap.build_with(settings(), None, Reader(Path(), {}))
    ask = {"Origin": "https://portal.example", "Access-Control-Request-Method": "PATCH"}
    for section, status in (({"origins": ["https://Portal.example/"]}, 204), ({"origins": []}, 404), (None, 404)):
        bootstrap.build_with(settings(), {"http_mft": section}, Reader(Path(), {})).close()
        client = Client(create_app(other, upstreams={}))
        assert client.options("/2.0/uploads/1", headers=ask).status_code == status
    other.close()


def test_published_events():
    """The gateway publishes events of sessions and accounts, and handles none."""
    assert [event.TYPE for event in events.PUBLISHES] == [
        "session.opened.v1",
        "session.closed.v1",
        "account.changed.v1",
    ]
    assert events.HANDLERS == {}
