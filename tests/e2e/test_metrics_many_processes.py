"""The metrics of a hub whose services and workers are programs of their own, each with its own page."""

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.clients import HttpMft
from tests.servers.hub import ManyProcesses
from tests.servers.processes import wait_until

NAMES = {"gateway": "gateway"} | {
    f"{name}_svc": f"{name}-svc" for name in ("filestore", "diplomat", "mqmft", "sertainty")
}


@pytest.fixture(scope="module")
def hub(tmp_path_factory, postgresql_server, rabbitmq_server):
    """A hub on PostgreSQL and RabbitMQ."""
    url, vhost = postgresql_server.new_database(), rabbitmq_server.new_vhost()
    made = ManyProcesses(tmp_path_factory.mktemp("hub"), database_url=url, amqp_url=rabbitmq_server.url(vhost))
    try:
        yield made.start()
    finally:
        made.kill()
        postgresql_server.drop_database(url)
        rabbitmq_server.drop_vhost(vhost)


def samples(port):
    """Return the samples of the page on a port as (name, labels, value)."""
    text = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=20).text
    return [tuple(one)[:3] for family in text_string_to_metric_families(text) for one in family.samples]


def total(port, name, **labels):
    """Return the sum of the samples of a name with these labels."""
    return sum(value for found, has, value in samples(port) if found == name and labels.items() <= has.items())


def test_an_upload_counts_in_each_process_that_had_to_do_with_it(hub):
    """The gateway and the service count the request, and the worker that records transfers counts the transfer."""
    assert HttpMft(hub.url).put("in/counted", b"x" * 500).status_code == 201
    put = {"method": "PUT", "status": "201"}
    assert total(hub.port, "mft_requests_total", service="gateway", route="/2.0", **put) == 1
    route = "/2.0/files<tail:_tail>"
    assert total(hub.web_ports["filestore_svc"], "mft_requests_total", service="filestore-svc", route=route, **put) == 1
    worker, protocol = hub.worker_ports["mqmft_svc"], {"protocol": "http-mft"}
    wait_until(lambda: total(worker, "mft_transfers_total", state="successful", **protocol) == 1, what="the transfer")
    assert total(worker, "mft_transfer_bytes_total", **protocol) == 500


@pytest.mark.parametrize("package", sorted(NAMES))
def test_each_worker_measures_its_own_service_alone(hub, package):
    """The page of a worker has the outbox and the time of its own service, and those that consume have dead letters."""

    def services(name):
        return {has["service"] for found, has, _value in samples(hub.worker_ports[package]) if found == name}

    own = {NAMES[package]}
    wait_until(lambda: services("mft_state_measured_timestamp_seconds") == own, within=45, every=0.2, what="its time")
    assert services("mft_outbox_events") == services("mft_outbox_oldest_seconds") == own
    if package in {"diplomat_svc", "mqmft_svc", "sertainty_svc"}:
        wait_until(lambda: services("mft_dead_letters") == own, every=0.2, what="its dead letters")
