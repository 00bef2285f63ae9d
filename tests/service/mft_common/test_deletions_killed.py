"""A deletion that is killed before each of its steps: the file that was read is removed, and no newer one is lost."""

import contextlib
import os
import signal
import subprocess
import sys
import textwrap

import pytest
from structlog.testing import capture_logs

from mft_common.endpoints.errors import Changed, NotFound
from mft_common.endpoints.files import FileEndpoint
from mft_common.endpoints.folders import Folder, LocalFolders
from mft_common.endpoints.names import printable
from mft_common.endpoints.registry import Endpoints

TOKEN = "0000000000000042" * 2
NAMES = {"short": "a.txt", "bytes": os.fsdecode(b"\xff\n.x"), "long": "n" * 100 + "ü" * 75 + ".txt"}
# Deletes a file, and is killed before its `sys.argv[3]`th step; a partner's newer file comes between look and rename.
PROGRAM = textwrap.dedent("""
    import os, signal, sys
    from mft_common.endpoints.files import FileEndpoint
    from mft_common.endpoints.folders import Folder
    from mft_common.endpoints.system import System

    folder, name, kill_at, newer, token = sys.argv[1:]
    steps = {"make_folder", "rename", "rename_to_free", "link", "remove", "remove_folder", "sync"}

    class Killed(System):
        left = int(kill_at)
        looks = 0

        def __getattribute__(self, called):
            found = super().__getattribute__(called)
            if called in steps:
                Killed.left -= 1
                if not Killed.left:
                    os.kill(os.getpid(), signal.SIGKILL)
            return found

        def status(self, asked, descriptor):
            found = super().status(asked, descriptor)
            if newer and asked == name and not Killed.looks:
                Killed.looks = 1
                with open(os.path.join(folder, "new"), "w") as file:
                    file.write(newer)
                os.replace(os.path.join(folder, "new"), os.path.join(folder, name))
            return found

    endpoint = FileEndpoint(Folder(os.open(folder, os.O_RDONLY | os.O_DIRECTORY), system=Killed()), system=Killed())
    entry = FileEndpoint(Folder(os.open(folder, os.O_RDONLY | os.O_DIRECTORY))).stat(name)
    endpoint.delete(entry, token=token)
""")


def killed_deletion(folder, name, step, newer=""):
    """Delete a file in a process that is killed before a step; return False where it came to its end."""
    arguments = [sys.executable, "-c", PROGRAM, folder, name, str(step), newer, TOKEN]
    done = subprocess.run(arguments, capture_output=True, timeout=60, check=False)
    assert done.returncode in (0, 1, -signal.SIGKILL), done.stderr
    assert done.returncode != 1 or b"Changed" in done.stderr, done.stderr
    return done.returncode == -signal.SIGKILL


def endpoint_of(folder):
    """Return an endpoint of a folder."""
    return FileEndpoint(Folder(os.open(folder, os.O_RDONLY | os.O_DIRECTORY)))


def contents(folder):
    """Return the contents of the files by their names, those in folders too."""
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def ended(tmp_path):
    """Return a function that ends the deletions in a folder twice, as two sweeps of a job do."""
    endpoints = Endpoints(folders=LocalFolders(tmp_path / "data", (tmp_path,)))

    def end(folder, token=TOKEN):
        for _ in range(2):
            endpoints.end_deletions(f"file:{folder}", token)

    return end


def each_kill(tmp_path, name, newer="", entries=None):
    """Yield a folder with the outcome of each kill of the deletion of a file, until a deletion comes to its end.

    `entries` gets the entry of the file in each folder.
    """
    for step in range(1, 30):
        folder = tmp_path / f"step{step}"
        folder.mkdir()
        (folder / name).write_text("read")
        (folder / "other").write_text("other")
        if entries is not None:
            entries[folder] = endpoint_of(folder).stat(name)
        if not killed_deletion(folder, name, step, newer):
            assert step > 3
            return
        yield folder
    raise AssertionError


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_the_file_that_was_read_is_removed_or_untouched(tmp_path, ended, name):
    """After each kill and the sweep nothing is hidden: the file has its name or is gone, and no other changed."""
    gone = 0
    for folder in each_kill(tmp_path, name):
        ended(folder, "0000000000000043" * 2)
        assert "read" in (*contents(folder).values(), "read")
        ended(folder)
        assert contents(folder) in ({name: "read", "other": "other"}, {"other": "other"})
        assert {path.name for path in folder.iterdir()} == set(contents(folder))
        gone += name not in contents(folder)
    assert gone


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_newer_file_gets_its_name_back(tmp_path, ended, name):
    """A file that came in the moment of the deletion is never removed, and has its name after the sweep."""
    hidden = 0
    for folder in each_kill(tmp_path, name, "newer"):
        if "newer" not in (contents(folder).get(name), contents(folder).get("new")):
            assert "newer" in contents(folder).values()
            hidden += 1
        ended(folder)
        assert contents(folder) == {name: "newer", "other": "other"}
        assert {path.name for path in folder.iterdir()} == {name, "other"}
    assert hidden


def test_the_sweep_of_a_destination_in_the_same_folder_removes_no_newer_file(tmp_path):
    """A file that a job delivers into the folder of its sources is swept there by the same token."""
    for folder in each_kill(tmp_path, "a.txt", "newer"):
        endpoint_of(folder).sweep(TOKEN)
        assert contents(folder) == {"a.txt": "newer", "other": "other"}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_yet_newer_file_is_not_replaced(tmp_path, ended, name):
    """Where another file has taken the name since, it stays, and the log names the one that is kept beside it."""
    for folder in each_kill(tmp_path, name, "newer"):
        was_aside = contents(folder).get(name) is None
        (folder / "newest").write_text("newest")
        (folder / "newest").replace(folder / name)
        with capture_logs() as lines:
            ended(folder)
        found = contents(folder)
        assert found.pop(name) == "newest"
        assert found.pop("other") == "other"
        assert set(found.values()) <= {"newer"}
        if was_aside:
            assert list(found.values()) == ["newer"]
            (line,) = [line for line in lines if line["event"] == "file.newer_kept"]
            assert line["left"] in {printable(path.name) for path in folder.iterdir()}
            with capture_logs() as lines:
                ended(folder)
            assert lines == []


@pytest.mark.parametrize("newer", ["", "newer"])
def test_the_next_deletion_of_the_version_ends_the_former(tmp_path, newer):
    """The same call again finds its work done, or says that another file has the name."""
    entries = {}
    for folder in each_kill(tmp_path, "a", newer, entries=entries):
        with contextlib.suppress(NotFound) if not newer else pytest.raises(Changed):
            endpoint_of(folder).delete(entries[folder], token=TOKEN)
        assert contents(folder) == ({"a": "newer", "other": "other"} if newer else {"other": "other"})
