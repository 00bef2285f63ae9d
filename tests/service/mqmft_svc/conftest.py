"""Fixtures: a service over a database of its own, and its log."""

import io
import logging
import os

import pytest
import structlog

from mft_common import logs
from mft_common.config import Reader
from mft_common.process.runner import Runner, child_environment
from mqmft_svc.bootstrap import child_modules
from tests.servers.answering import Answering
from tests.servers.monitored import Polls
from tests.servers.queues import Queue
from tests.service.mqmft_svc.mqmft_hub import Hub


@pytest.fixture
def hub(tmp_path):
    """A hub with nothing in its record."""
    made = Hub(tmp_path)
    yield made
    made.service.close()


@pytest.fixture
def make_hub(tmp_path):
    """Make hubs with settings of their own over one database."""
    made = []

    def make(**environ):
        made.append(Hub(tmp_path, **environ))
        return made[-1]

    yield make
    for one in made:
        one.service.close()


@pytest.fixture
def open_hub(tmp_path, database_url):
    """Build the service with a configuration and its secrets, as another process does, over one database."""
    made = []

    def open_hub(config, environ=(), **options):
        reader = Reader(tmp_path, dict(environ), data=tmp_path)
        made.append(Hub(tmp_path, config=config, reader=reader, **{"MQMFT_DATABASE_URL": database_url, **options}))
        return made[-1]

    yield open_hub
    for one in made:
        one.service.close()


@pytest.fixture
def open_polls(open_hub):
    """Begin to look at the resources of monitors, poll by poll."""
    made = []

    def open_polls(hub, **options):
        made.append(Polls(hub, **options))
        return made[-1]

    yield open_polls
    for one in made:
        one.close()


@pytest.fixture
def server():
    """A receiver of calls, on loopback."""
    made = Answering()
    yield made
    made.close()


@pytest.fixture
def queue(amqp_url):
    """An empty queue."""
    made = Queue(amqp_url)
    yield made
    made.close()


@pytest.fixture(scope="module")
def runner():
    """The runner of a worker, for all tests of a module."""
    with Runner("mqmft-svc", child_modules({}), environment=child_environment(os.environ)) as made:
        yield made


@pytest.fixture
def log():
    """The log as text; afterwards logging is configured as before."""
    root, stream = logging.getLogger(), io.StringIO()
    before = root.handlers[:], root.level
    logs.configure("mqmft-svc", "debug", stream)
    yield stream
    structlog.reset_defaults()
    root.handlers[:], root.level = before
