"""Fixtures: a service over a database of its own, and its log."""

import io
import logging
import os

import pytest
import structlog

from mft_common import logs
from mft_common.process.runner import Runner, child_environment
from mqmft_svc.bootstrap import child_modules
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
