"""Hands the tests a service over a database of its own."""

import io
import logging

import pytest
import structlog

from mft_common import logs
from tests.service.sertainty_svc.protector import Hub


@pytest.fixture
def hub(tmp_path):
    """A hub whose agent runs, and in which nobody is logged in."""
    made = Hub(tmp_path)
    yield made
    made.service.close()


@pytest.fixture
def log():
    """The log as text; afterwards logging is as it was, whoever configured it meanwhile."""
    root, stream = logging.getLogger(), io.StringIO()
    before = root.handlers[:], root.level
    logs.configure("sertainty-svc", "debug", stream)
    yield stream
    structlog.reset_defaults()
    root.handlers[:], root.level = before
