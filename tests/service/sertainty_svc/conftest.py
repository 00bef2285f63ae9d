"""Fixtures: a service over a database of its own, and its log."""

import io
import logging

import pytest
import structlog

from mft_common import logs
from tests.service.sertainty_svc.protector import Hub


@pytest.fixture
def hub(tmp_path):
    """A hub whose agent runs, without a session."""
    made = Hub(tmp_path)
    yield made
    made.service.close()


@pytest.fixture
def log():
    """The log as text; afterwards logging is configured as before."""
    root, stream = logging.getLogger(), io.StringIO()
    before = root.handlers[:], root.level
    logs.configure("sertainty-svc", "debug", stream)
    yield stream
    structlog.reset_defaults()
    root.handlers[:], root.level = before
