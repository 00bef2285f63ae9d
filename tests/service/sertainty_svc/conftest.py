"""Fixtures: a service over a database of its own, and its log."""

import io
import logging

import pytest
import structlog

from mft_common import logs
from tests.service.sertainty_svc.protector import BYTES, Hub


@pytest.fixture
def hub(tmp_path):
    """A hub whose agent runs, without a session."""
    made = Hub(tmp_path)
    yield made
    made.service.close()


@pytest.fixture
def filled(hub):
    """A hub with the configuration `night`, and an ID and a script in it and among the shared ones; and a session."""
    hub.add_configuration("night")
    session = hub.login()
    for scope in ((), ("night",)):
        prefix = "config" if scope else "shared"
        assert hub.call(f"{prefix}SaveID", *scope, "a.iic", BYTES, session=session).status == 1
        assert hub.call(f"{prefix}SaveScript", *scope, "a.py", BYTES, session=session).status == 1
    return hub, session


@pytest.fixture
def log():
    """The log as text; afterwards logging is configured as before."""
    root, stream = logging.getLogger(), io.StringIO()
    before = root.handlers[:], root.level
    logs.configure("sertainty-svc", "debug", stream)
    yield stream
    structlog.reset_defaults()
    root.handlers[:], root.level = before
