"""The far sides of the shared suite: each module `far_KIND.py` names its servers in `SERVERS`."""

import contextlib
import importlib
import itertools
from pathlib import Path

import pytest

_MODULES = sorted(Path(__file__).parent.glob("far_*.py"))
SERVERS = {
    kind: server
    for module in _MODULES
    for kind, server in importlib.import_module(f"tests.endpoints.{module.stem}").SERVERS.items()
}
_numbers = itertools.count()


@pytest.fixture(scope="session")
def far_servers(tmp_path_factory):
    """Return a function that starts the server of a kind once, and gives what makes its far sides."""
    with contextlib.ExitStack() as stack:
        started = {}

        def get(kind):
            if kind not in started:
                folder = tmp_path_factory.mktemp(kind)
                started[kind] = stack.enter_context(SERVERS[kind](folder))
            return started[kind]

        yield get


def pytest_generate_tests(metafunc):
    """Run each test that asks for `far` over every kind."""
    if "far" in metafunc.fixturenames:
        metafunc.parametrize("far", sorted(SERVERS), indirect=True)


@pytest.fixture
def far(request, far_servers):
    """An empty far side of each kind in turn."""
    return far_servers(request.param)(f"t{next(_numbers)}")
