"""The supervising process of a hub on one machine: its processes and its upkeep."""

import datetime

import pytest

from crossdock import certificate
from crossdock.listeners import Listeners
from crossdock.local_hub import LocalHub
from gateway.serving.limits import ServingLimits
from mft_common.settings import from_env


@pytest.fixture
def make(tmp_path):
    """Return a function that makes a hub with more settings."""

    def new(**more):
        url = f"sqlite:///{tmp_path}/gateway.db"
        return LocalHub({"GATEWAY_DATABASE_URL": url, "MFT_INTERNAL_KEYS": "a key", **more}, tmp_path, 1)

    return new


@pytest.mark.parametrize("drain", ["5s", "90s", "10m"])
def test_the_web_process_gets_more_time_than_its_requests(make, drain):
    """The supervisor kills nothing that the gateway's own limits still allow."""
    settings = {"GATEWAY_DRAIN": drain, "GATEWAY_GRACE": "20s"}
    limits = from_env(ServingLimits, settings)
    web, worker = make(**settings).processes(Listeners(()))
    assert (web.name, worker.name) == ("web", "worker")
    assert web.grace > limits.grace + limits.drain + 5


def test_a_certificate_that_ends_soon_is_renewed_while_the_hub_runs(make, tmp_path):
    """The web process is replaced then, which reads the new one; until the next time there is nothing to do."""
    long_ago = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=800)
    listeners = Listeners((), certificate.ensure(tmp_path, long_ago), tmp_path)
    hub = make()
    assert list(hub.maintain(listeners)) == ["web"]
    assert list(hub.maintain(listeners)) == []


def test_a_certificate_that_cannot_be_written_ends_nothing(make, tmp_path):
    """The former one is served on, and the next hour tries again."""
    (tmp_path / "file").write_text("")
    assert list(make().maintain(Listeners((), None, tmp_path / "file/below"))) == []


def test_a_certificate_of_the_operator_is_left_alone(make):
    """The hub renews its own alone."""
    assert list(make().maintain(Listeners(()))) == []
