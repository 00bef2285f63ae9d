"""Addresses that may see the metrics of a process."""

import pytest
from flask import Flask

from mft_common.process import metrics


@pytest.fixture
def page(monkeypatch):
    """Return a function that asks for the metrics from an address, of a process that these networks may scrape."""
    monkeypatch.setenv(metrics.FROM_VARIABLE, "10.0.0.0/8, fd00::/8")
    app = Flask("sample")
    app.register_blueprint(metrics.blueprint())

    def ask(address, **headers):
        return (
            app.test_client().get("/metrics", environ_overrides={"REMOTE_ADDR": address}, headers=headers).status_code
        )

    return ask


@pytest.mark.parametrize(
    ("address", "status"),
    [("127.0.0.1", 200), ("10.1.2.3", 200), ("fd00::7", 200), ("::ffff:10.1.2.3", 200), ("192.0.2.1", 403), ("", 403)],
)
def test_named_networks_and_loopback_see_the_metrics(page, address, status):
    """Other addresses are refused, and so is a peer without one."""
    assert page(address) == status


def test_a_request_that_a_proxy_sent_on_is_refused(page):
    """A proxy within the network may have clients outside of it."""
    assert page("10.1.2.3", **{"X-Forwarded-For": "192.0.2.1"}) == 403


def test_a_network_that_is_none_keeps_the_process_from_starting(monkeypatch):
    """A typing error must not open or close the page unnoticed."""
    monkeypatch.setenv(metrics.FROM_VARIABLE, "10.0.0.0/8, inside")
    with pytest.raises(ValueError, match="inside"):
        metrics.blueprint()
