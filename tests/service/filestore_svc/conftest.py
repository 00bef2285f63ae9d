"""Gives each test a store of its own, and a module one server."""

import pytest

from tests.servers.s3 import S3Server
from tests.service.filestore_svc.filestore_lab import Lab, Server


@pytest.fixture
def lab(tmp_path):
    """The service in this process."""
    made = Lab(tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The service as a server."""
    made = Server(tmp_path_factory.mktemp("server"))
    yield made.start()
    made.program.kill()


@pytest.fixture(scope="session")
def s3(tmp_path_factory):
    """An S3 server."""
    made = S3Server(tmp_path_factory.mktemp("s3"))
    yield made
    made.program.kill()
