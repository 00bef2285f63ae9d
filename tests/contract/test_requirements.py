"""The two locks: what runs, and what builds and checks."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements.lock", "requirements-dev.lock")
DISTRIBUTIONS = sorted(ROOT.glob("*/pyproject.toml"))


def normal(name):
    """Return a package's name as indexes compare it, without extras and versions."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=! ;]", name, maxsplit=1)[0]).lower()


def pins(lock):
    """Return each package of a lock with the versions that it is pinned to."""
    found = {}
    for name, version in re.findall(r"^([A-Za-z0-9_.-]+)==([^ ;\\]+)", (ROOT / lock).read_text(), flags=re.MULTILINE):
        found.setdefault(normal(name), set()).add(version)
    return found


def named(listing):
    """Return the packages that a list of requirements asks for by name."""
    lines = (ROOT / listing).read_text().splitlines()
    return {normal(line) for line in lines if line and not line.startswith(("#", "-c"))}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_pins_everything_with_hashes_and_names_no_index(lock):
    """Each line is a pin, a hash of it, or a comment."""
    for line in (ROOT / lock).read_text().splitlines():
        assert re.fullmatch(r"[A-Za-z0-9_.-]+==\S+( ; .+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?|    #.*", line), line


def test_both_locks_pin_a_shared_package_to_the_same_version():
    """Installing the second lock changes nothing of the first."""
    runtime, development = (pins(lock) for lock in LOCKS)
    shared = runtime.keys() & development.keys()
    assert shared
    assert {name: runtime[name] for name in shared} == {name: development[name] for name in shared}


def test_no_tool_is_in_the_lock_of_what_runs():
    """Neither a build backend nor a test tool is installed by `make run` or into an image."""
    assert named("requirements-dev.in") & pins("requirements.lock").keys() == set()


@pytest.mark.parametrize("path", DISTRIBUTIONS, ids=lambda path: path.parent.name)
def test_the_lock_of_what_runs_holds_every_dependency_of_each_distribution(path):
    """A distribution that needs another package cannot run from this lock, and says so here."""
    ours = {folder.parent.name for folder in DISTRIBUTIONS}
    project = tomllib.loads(path.read_text())["project"]
    assert {normal(name) for name in project["dependencies"]} - ours <= pins("requirements.lock").keys()
