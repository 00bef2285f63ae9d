import pytest
from flask import Flask

from mft_common.errors import Unavailable
from mft_common.process import health


@pytest.fixture
def client():
    state = {"broker": None}

    def broker():
        if state["broker"]:
            raise state["broker"]

    app = Flask(__name__)
    app.register_blueprint(health.blueprint({"database": lambda: None, "broker": broker}))
    client = app.test_client()
    client.state = state
    return client


def test_ready_when_everything_answers(client):
    """All dependencies are listed as fine."""
    assert client.get("/readyz").json == {"ok": ["process", "database", "broker"], "failing": {}}


def test_not_ready_names_what_fails_and_why(client):
    """A dependency that is away turns readiness 503 with its reason, and health stays."""
    client.state["broker"] = Unavailable("the broker does not answer")
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json["failing"] == {"broker": "the broker does not answer"}
    assert client.get("/healthz").status_code == 200


def test_an_unexpected_error_shows_nothing_of_itself(client):
    """The text of an unexpected error goes to the log alone."""
    client.state["broker"] = OSError("connect to 10.0.0.7:5672 failed")
    assert client.get("/readyz").json["failing"] == {"broker": "does not answer"}
