"""Share a runner whose children run programs with limits."""

import os
import sys

import pytest

from mft_common.process.runner import Runner, child_environment
from tests.servers import script_runs


@pytest.fixture(scope="module")
def script_runner():
    """Return a runner whose fork server has the function of `script_runs` imported."""
    with Runner("test", [script_runs.__name__], environment=child_environment(os.environ)) as made:
        yield made


@pytest.fixture
def run_program(script_runner, tmp_path):
    """Return a function that runs a script, of Python where it begins with an import, in a child with some limits."""

    def start(text, *, user=None, descriptors=(), on_message=lambda _kind, _data: None, **limits):
        payload = {"text": text, "folder": str(tmp_path), "limits": limits, "user": user, "open": descriptors}
        if text.startswith("import"):
            payload["program"] = [sys.executable, "-c"]
        end = script_runner.run(script_runs.CHILD, payload, on_message).wait(30)
        assert end.completed, end
        return end.result

    return start
