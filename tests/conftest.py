"""The real servers that tests talk to: one of each for a test process, made when its first test asks for it."""

import logging

import pytest
import structlog

from mft_common import logs
from tests.servers import postgresql, rabbitmq

# Folders in the order of the time that one of their files takes, the longest first.
_ORDER = ("e2e", "broker", "service", "contract", "unit")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    """Begin with the files that take longest where several processes share the tests: a late one delays the end."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: _place(item.path.relative_to(config.rootpath).parts))


def _place(parts):
    """Return where the file at `parts` stands in `_ORDER`; a file of no such folder is last."""
    return next((place for place, name in enumerate(_ORDER) if name in parts), len(_ORDER))


@pytest.fixture(autouse=True)
def logs_as_before():
    """Undo what a test does to the logs of its process: the stream that it captured them with is closed at its end."""
    configured, settings, least = structlog.is_configured(), structlog.get_config(), logs._least
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    if configured:
        structlog.configure(**settings)
    else:
        structlog.reset_defaults()
    root.handlers[:], logs._least = handlers, least
    root.setLevel(level)


@pytest.fixture(scope="session")
def rabbitmq_server():
    server = rabbitmq.find_or_start()
    yield server
    server.close()


@pytest.fixture(scope="session")
def postgresql_server():
    server = postgresql.find_or_start()
    yield server
    server.close()


@pytest.fixture
def amqp_url(rabbitmq_server):
    """Return a vhost of the test's own."""
    vhost = rabbitmq_server.new_vhost()
    yield rabbitmq_server.url(vhost)
    rabbitmq_server.drop_vhost(vhost)


@pytest.fixture
def postgresql_url(postgresql_server):
    """Return a database of the test's own."""
    url = postgresql_server.new_database()
    yield url
    postgresql_server.drop_database(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request, tmp_path):
    """Return an empty database of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/test.db"
    return request.getfixturevalue("postgresql_url")
