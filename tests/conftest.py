"""The real servers that tests talk to: one of each for a test process, made when its first test asks for it."""

import contextlib
import logging
import os
import signal

import hypothesis
import pytest
import structlog

from mft_common import logs
from tests.servers import postgresql, rabbitmq, secret_search
from tests.servers.openssh import OpenSsh

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


def pytest_configure(config):
    """Keep answers and output for the search after each test; be free of the caller's umask and ignored signals.

    Programs that the tests start inherit both: where the caller ignores SIGINT, as a shell's jobs in the background do,
    they could not be interrupted. An example of a property has no deadline, and may be made slowly: a busy machine
    stands still for longer.
    """
    os.umask(0o022)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        with contextlib.suppress(ValueError):
            # A process of pytest-xdist may be configured in another thread than its first one.
            signal.signal(signal.SIGINT, signal.default_int_handler)
    secret_search.watch_answers()
    hypothesis.settings.register_profile(
        "busy machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
    )
    hypothesis.settings.load_profile("busy machine")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Fail a test after which a secret of the tests stands in a log, an answer, a database or the output."""
    report = yield
    if report.when == "teardown":
        output = "".join(text for _, text in report.sections)
        found = secret_search.found_after_test(output, item.funcargs.get("tmp_path"))
        if found and report.passed:
            report.outcome = "failed"
            report.longrepr = "secrets of the tests were found:\n" + "\n".join(found)
    return report


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


@pytest.fixture(scope="module")
def sshd(tmp_path_factory):
    """OpenSSH's server, with three host keys."""
    with OpenSsh(tmp_path_factory.mktemp("sshd")) as server:
        yield server


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
    found = secret_search.found_in_postgresql(url)
    postgresql_server.drop_database(url)
    assert found == []


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request, tmp_path):
    """Return an empty database of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/test.db"
    return request.getfixturevalue("postgresql_url")
