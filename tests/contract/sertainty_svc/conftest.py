"""Fixtures: hubs over one database of each kind, which start and stop like replicas of the service."""

import contextlib

import pytest

from tests.service.sertainty_svc.protector import Hub


@pytest.fixture
def new_hub(tmp_path, database_url):
    """Return a function that starts a replica of the service, with a worker that has looked once."""
    with contextlib.ExitStack() as closing:

        def start():
            made = Hub(tmp_path, SERTAINTY_DATABASE_URL=database_url)
            closing.callback(made.service.close)
            return made

        yield start
