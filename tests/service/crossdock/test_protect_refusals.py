"""Files and IDs that `crossdock protect` and `unprotect` refuse, while the other files of a run go on."""

import json
import shutil
import signal
import subprocess
import sys
import tracemalloc

import pytest
import sqlalchemy as sa

from crossdock import ids
from crossdock.protecting import console
from crossdock.protecting.files import protecting
from mft_common.database import Database
from sertainty_svc.domain.ids import RuleBreached
from sertainty_svc.domain.rules import RuleName
from sertainty_svc.store.objects import Key, save
from sertainty_svc.store.tables import metadata, stored_object
from tests.servers.processes import program, wait_until
from tests.service.crossdock.test_protect import CONTENT, done, here, made, names, refused, run, start_hub

__all__ = ["here"]
ID = ("--id", "edge-7.iic")


@pytest.fixture
def sealed(here):
    """The current folder, with an ID and a protected file."""
    done("id", "new", "edge-7.iic")
    done("protect", "report.csv", *ID)
    return here


def change(path, before, after):
    """Change some bytes of a file."""
    content = path.read_bytes()
    assert before in content
    path.write_bytes(content.replace(before, after))


def test_an_id_of_this_machine_that_was_changed_protects_nothing(here):
    """Files that are protected to it could not be opened again; of another machine's ID a hub cannot tell that."""
    start_hub(here / "data-second")
    for name, data in (("own", "data"), ("other", "data-second")):
        made(here, name, data)
        change(here / f"{name}.iic", b">Unrestricted<", b">Unlimited<")
    assert "it was changed after it was made" in refused("protect", "report.csv", "--id", "own.iic")
    shown = run("id", "show", "own.iic", "--format", "json")
    assert shown.exit_code == 1
    assert "it was changed after it was made" in json.loads(shown.stdout)["protect_problem"]
    assert "report.csv.sealed" not in names(here)
    done("protect", "report.csv", "--id", "other.iic")


def test_a_file_that_is_too_large_to_be_an_id_is_not_read_whole(here):
    """Exit code 2 and one line, also of a file without an end."""
    (here / "large").write_bytes(b"<" * ((1 << 20) + 1))
    for name in ("large", "/dev/zero"):
        assert f"{name}: has more than 1048576 bytes" in refused("protect", "report.csv", "--id", name)
    assert "has more than" in refused("id", "new", "x", "--machine", "large")


def test_a_file_that_is_not_there_beside_others_is_no_success(sealed):
    """Exit code 1 although no file has failed: who deletes what is protected now would lose that file's name."""
    for command in (("protect", "report.csv", "report.cvs", *ID), ("unprotect", "report.csv.sealed", "report.sealed")):
        result = run(*command, "--replace", "--format", "json")
        found = json.loads(result.stdout)
        assert (result.exit_code, found["exit_code"], found["failed"], len(found["skipped"])) == (1, 1, 0, 1)


def test_a_protected_file_does_not_replace_itself(sealed):
    """The files themselves stay, also where they have the name of their own output, or of another one's."""
    (sealed / "report.csv.sealed").rename(sealed / "report.csv")
    before = (sealed / "report.csv").read_bytes()
    result = run("unprotect", "report.csv", "--replace")
    assert (result.exit_code, "report.csv: is one of the files themselves" in result.stderr) == (1, True)
    assert (sealed / "report.csv").read_bytes() == before
    (sealed / "b.sealed").write_bytes(b"one")
    done("protect", "b.sealed", *ID)
    (sealed / "b.sealed.sealed").rename(sealed / "a.sealed")
    assert run("unprotect", "a.sealed", "./b.sealed", "--replace").exit_code == 1
    assert (sealed / "b.sealed").read_bytes() == b"one"


def test_an_output_does_not_replace_that_of_another_file_of_the_same_run(sealed):
    """One of the two fails; a file that has failed itself is in nobody's way."""
    (sealed / "report.csv").write_bytes(b"other")
    done("protect", "report.csv", *ID, "--replace")
    (sealed / "report.csv.sealed").rename(sealed / "b.sealed")
    (sealed / "report.csv").write_bytes(CONTENT)
    done("protect", "report.csv", *ID)
    (sealed / "report.csv.sealed").rename(sealed / "a.sealed")
    result = run("unprotect", "a.sealed", "b.sealed", "--replace")
    assert (result.exit_code, "report.csv: is the output of another file already" in result.stderr) == (1, True)
    assert (sealed / "report.csv").read_bytes() == CONTENT
    with (sealed / "a.sealed").open("r+b") as file:
        file.truncate(1000)
    result = run("unprotect", "a.sealed", "b.sealed", "b.sealed", "--replace")
    assert (result.exit_code, "2 restored, 1 failed" in result.stderr) == (1, True)
    assert (sealed / "report.csv").read_bytes() == b"other"


def test_names_and_links_that_no_output_can_have_fail_alone(sealed):
    """A name that is too long with its ending, and a circle of links, keep no other file from being protected."""
    (sealed / ("n" * 250)).touch()
    (sealed / "circle").symlink_to("circle")
    result = run("protect", "n" * 250, "circle/a", "report.csv", *ID, "--replace", "--format", "json")
    found = json.loads(result.stdout)
    assert (result.exit_code, found["protected"]) == (1, 1)
    assert found["files"][0]["state"] == "failed"
    copied = run("copy", "circle/a", "b")
    assert (copied.exit_code, type(copied.exception)) == (4, SystemExit)


def test_a_file_that_another_process_is_at_fails_alone(sealed):
    """The others are protected, and the report names all of them."""
    with (sealed / "large").open("wb") as file:
        file.truncate(4 << 30)
    other = subprocess.Popen(
        [sys.executable, "-m", "crossdock", "protect", "large", *ID], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        wait_until(lambda: any(sealed.glob(".large.sealed*")))
        result = run("protect", "report.csv", "large", *ID, "--replace", "--format", "json")
        assert other.poll() is None
    finally:
        other.send_signal(signal.SIGTERM)
        other.communicate()
    found = json.loads(result.stdout)
    assert (result.exit_code, found["protected"], found["failed"]) == (1, 1, 1)
    assert found["files"][1]["error"] == "this copy is running already, in another process"


def test_the_rules_of_an_id_are_asked_before_each_file(sealed):
    """Item 101: an ID that expires amid the files of a run protects no further one."""
    shutil.copy(sealed / "report.csv", sealed / "second.csv")
    with ids.opened(sealed / "data", {}) as access:
        recipients = [access.recipient(access.find("edge-7.iic"))]

    def recipient():
        if not recipients:
            raise RuleBreached(RuleName.EXPIRATION)
        return recipients.pop()

    files = [sealed / "report.csv", sealed / "second.csv"]
    code = console.run(
        files, lambda: protecting(recipient), sealed / "data", done="protected", replacing=True, json_format=True
    )
    assert code == 1
    assert names(sealed) == ["report.csv", "report.csv.sealed", "second.csv"]


def test_the_copies_of_an_id_are_read_one_after_another(sealed):
    """Thousands of copies may have one id, each of up to 1 MiB: the one that opens is found in little memory."""
    (sealed / "report.csv").unlink()
    database = Database(
        f"sqlite:///{sealed}/data/state/sertainty-svc/sertainty.db",
        schema="sertainty-svc", metadata=metadata, migrations="", head="",
    )  # fmt: skip
    with database.write() as connection:
        row = connection.execute(sa.select(stored_object)).one()
        other = row.contents.replace(b">Unrestricted<", b">Unlimited<") + b"<!--" + b"x" * 1_000_000 + b"-->"
        for number in range(32):
            save(connection, Key("id", 0, f"a{number:02}"), other, row.uid)
    database.close()
    tracemalloc.start()
    try:
        done("unprotect", "report.csv.sealed")
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert (sealed / "report.csv").read_bytes() == CONTENT
    assert peak < 24 << 20


def test_an_id_in_a_file_is_durable_before_its_command_ends(here):
    """Files are protected to it at once, and the key to them is nowhere else: the file and its name are fsynced."""
    strace = [program(["strace"], "strace"), "-f", "-qq", "-y", "-o", "trace", "-e", "trace=fsync"]
    command = [sys.executable, "-m", "crossdock", "id", "new", "own", "--output", "own.iic"]
    subprocess.run([*strace, *command], check=True, timeout=60)
    synced = [
        line.split("<")[1].split(">")[0] for line in (here / "trace").read_text().splitlines() if "fsync(" in line
    ]
    assert [path for path in synced if "/data/" not in path] == [str(here / "own.iic"), str(here)]
