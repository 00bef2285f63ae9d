"""Fixtures: a hub without a worker, and the command on its data folder."""

import logging
from urllib.parse import quote

import pytest
import structlog
from click.testing import CliRunner

from crossdock.command import main
from mft_common import logs
from mft_common.config import Reader
from tests.servers.made_secrets import secret
from tests.service.crossdock.transfers.transfer_hub import CONFIG, WORDS
from tests.service.mqmft_svc.mqmft_hub import Hub


@pytest.fixture(autouse=True)
def _logging():
    """The command writes its log to a stream that ends with it; afterwards logging is configured as before."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    logs.configure("tests", "debug")
    structlog.reset_defaults()
    root.handlers[:], root.level = before


@pytest.fixture
def database(request, tmp_path):
    """The environment that names the database: nothing where it lies in the data folder."""
    if getattr(request, "param", "sqlite") == "postgresql":
        return {"MQMFT_DATABASE_URL": request.getfixturevalue("postgresql_url")}
    (tmp_path / "state" / "mqmft-svc").mkdir(parents=True)
    return {}


@pytest.fixture
def make_hub(tmp_path, database):
    """Make hubs with configurations of their own over one database; the command does not get their secrets."""
    made = []

    def make(config):
        broker = f"amqp://hub:{quote(secret('password-of-broker'), safe='')}@127.0.0.1:5672/"
        environ = {"BANK_PASSWORD": secret("password-of-bank"), "BROKER": broker}
        values = {"MQMFT_DATABASE_URL": f"sqlite:///{tmp_path}/state/mqmft-svc/mqmft.db", **database}
        made.append(Hub(tmp_path, config, Reader(tmp_path, environ, data=tmp_path), **values))
        return made[-1]

    yield make
    for one in made:
        one.service.close()


@pytest.fixture
def hub(make_hub):
    """A hub with agents, and no worker that would carry anything out."""
    return make_hub(CONFIG)


@pytest.fixture
def run(tmp_path, database):
    """Run the command on the hub's data folder."""

    def call(*arguments, given=None):
        words = ["transfer", *arguments, "--data", str(tmp_path)]
        return CliRunner().invoke(main, words, input=given, env=database, catch_exceptions=False)

    return call


@pytest.fixture
def submitted(hub, run):
    """Submit a transfer that waits for a worker, and return its id."""

    def submit(*arguments):
        result = run("submit", *WORDS, "report.txt", "in/report.txt", *arguments)
        assert (result.exit_code, result.stderr) == (0, "")
        return result.stdout.removesuffix("\n")

    return submit
