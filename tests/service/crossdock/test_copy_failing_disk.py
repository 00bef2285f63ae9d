"""`crossdock copy` to disks that are full or broken, and into a folder that goes away meanwhile."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.processes import program, wait_until
from tests.servers.small_disk import run_on_small_disk

LARGE = os.urandom(8 << 20)
SMALL = b"small"
FORMER = b"the former file"
# Copies, and then shows what the file system of its own holds.
SCRIPT = """
printf '%s' "$1" > to/large.bin; shift
"$@"; code=$?
for name in $(ls -A to); do echo "$name $(sha256sum < to/$name)"; done >&2
exit $code
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current folder, with a large and a small file in `from`, and a former large file in `to`."""
    monkeypatch.chdir(tmp_path)
    for name, content in (("from/large.bin", LARGE), ("from/small.bin", SMALL), ("to/large.bin", FORMER)):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_bytes(content)
    return tmp_path


def copy(*arguments):
    """Return a command that copies one file after the other: what one meets must not depend on how far the other is."""
    options = ("--format", "json", "--retries", "1", "--at-once", "1")
    return [sys.executable, "-m", "crossdock", "copy", "from", "to", *options, *arguments]


def sums(folder):
    """Return the content of each file below a folder by its name."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def failed(output):
    """Return the error of the large file, of a report in which the other one was copied."""
    report = json.loads(output)
    files = {one["source"]: one for one in report["files"]}
    assert report["exit_code"] == 1
    assert (report["copied"], report["failed"]) == (1, 1)
    return files["large.bin"]["error"]


def source_is_kept(here):
    return sums(here / "from") == {"large.bin": LARGE, "small.bin": SMALL}


@pytest.mark.parametrize("options", [(), ("--resume",), ("--no-replace",)], ids=["plain", "resume", "no-replace"])
def test_a_full_disk_leaves_the_former_file_and_nothing_else(here, options):
    """The error names the reason, the other file is copied, no part is left, and the source is as it was."""
    former = "other" if "--no-replace" in options else FORMER.decode()
    script = SCRIPT.replace("to/large.bin;", "to/other;" if "--no-replace" in options else "to/large.bin;")
    done = run_on_small_disk(["bash", "-c", script, "bash", former, *copy(*options)], here / "to", mebibytes=4)
    assert done.returncode == 1, done.stderr
    assert failed(done.stdout) == "large.bin: there is no room for it"
    names = sorted(line.split()[0] for line in done.stderr.splitlines() if line.endswith(" -"))
    assert names == sorted(["small.bin", "other" if "--no-replace" in options else "large.bin"])
    assert source_is_kept(here)
    assert list((here / "data").rglob("*.json")) == []


def broken(call, when, *arguments, path=None):
    """Run a copy whose system calls `call` fail with EIO from the `when`th on, those of `path` where one is given."""
    strace = program(["strace"], "strace")
    only = [] if path is None else ["-P", path]
    command = [strace, "-f", "-qq", "-o", "/dev/null", *only, "-e", f"inject={call}:error=EIO:when={when}"]
    return subprocess.run([*command, *copy(*arguments)], capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("call", ["fsync", "rename,renameat,renameat2"])
def test_a_disk_that_answers_eio_changes_nothing(here, call):
    """No file can be made durable, or be renamed: every try fails, the former file stays, and no part is left."""
    done = broken(call, "1+")
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    errors = {one["source"]: one["error"] for one in report["files"]}
    assert errors == {name: f"{name}: the system answered EIO" for name in ("large.bin", "small.bin")}
    assert {one["source"]: one["retries"] for one in report["files"]} == {"large.bin": 1, "small.bin": 1}
    assert sums(here / "to") == {"large.bin": FORMER}
    assert source_is_kept(here)


def test_a_disk_that_answers_eio_once_heals(here):
    """The second try of a file that could not be made durable delivers it."""
    done = broken("fsync", "1")
    assert done.returncode == 0, done.stderr
    assert sums(here / "to") == {"large.bin": LARGE, "small.bin": SMALL}
    assert sum(one["retries"] for one in json.loads(done.stdout)["files"]) == 1


def test_a_source_that_cannot_be_read_to_its_end_is_not_delivered(here):
    """Blocks in the middle of the source are unreadable: the former file stays."""
    done = broken("read,pread64", "3+", path=str(here / "from" / "large.bin"))
    assert failed(done.stdout) == "large.bin: the system answered EIO"
    assert sums(here / "to") == {"large.bin": FORMER, "small.bin": SMALL}
    assert source_is_kept(here)


@pytest.mark.parametrize("again", [False, True], ids=["gone", "made-anew"])
def test_a_destination_folder_that_is_removed_meanwhile_gets_nothing(here, again):
    """The copy into the folder that was open fails, also where another folder has its name by now."""
    command = copy("--bandwidth", "8MiB/s")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        wait_until(lambda: any(path.stat().st_size for path in (here / "to").glob(".large.bin.*.part")))
        shutil.rmtree(here / "to")
        if again:
            (here / "to").mkdir()
        output, complaints = process.communicate(timeout=60)
    assert process.returncode == 1, complaints
    report = json.loads(output)
    assert [one["error"] for one in report["files"]] == [
        "large.bin: the destination's folder or unfinished file was removed",
        "small.bin: the destination's folder or unfinished file was removed",
    ]
    assert not (here / "to").exists() or list((here / "to").iterdir()) == []
    assert source_is_kept(here)
