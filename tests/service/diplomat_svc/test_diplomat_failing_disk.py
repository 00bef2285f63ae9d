"""Jobs whose destination is full or is taken away meanwhile: a reason in the log, no part, sources kept."""

import os
import shutil

import pytest

from tests.servers.processes import wait_until
from tests.servers.small_disk import SmallDisk, on_small_disk
from tests.service.diplomat_svc.worker_program import kill, start_worker

LARGE = os.urandom(8 << 20)
FORMER = b"the former file"


@pytest.fixture
def made(hub, transaction):
    """A hub with a transaction of all files of a folder, one of them large, and a slow one."""
    definitions = [
        transaction("all", delete_source=True),
        transaction("slow", bandwidth="8MiB/s", delete_source=True),
    ]
    made = hub(*definitions).log_in()
    made.config = {"transactions": definitions}
    (made.data / "from" / "large").write_bytes(LARGE)
    return made


def logged(made):
    """Return the texts of the job log."""
    return [row.text for row in made.rows("SELECT text FROM job_log ORDER BY id")]


def test_a_job_on_a_full_disk_fails_with_the_reason_and_the_next_one_succeeds(made):
    """The former file stays, no part is left, files that have room arrive, and with more room the next job delivers."""
    (made.data / "from" / "small").write_bytes(b"small")
    child = start_worker(made, lambda command: on_small_disk(command, made.data / "to", mebibytes=12))
    try:
        disk = SmallDisk(child.pid, made.data / "to")
        (disk.folder / "large").write_bytes(FORMER)
        disk.fill(leave=500)
        made.run("all")
        job = made.finished("all")
        assert job.findtext("completionStatus") == "Failure"
        assert any("large: there is no room for it" in text for text in logged(made)), logged(made)
        assert {path.name for path in disk.folder.iterdir()} == {"large", "small", "filler"}
        assert (disk.folder / "large").read_bytes() == FORMER
        assert [path.name for path in (made.data / "from").iterdir()] == ["large"]
        disk.make_room()
        made.run("all")
        wait_until(lambda: made.finished("all").findtext("completionStatus") == "Successful")
        assert (disk.folder / "large").read_bytes() == LARGE
        assert list((made.data / "from").iterdir()) == []
    finally:
        kill(child)


@pytest.mark.parametrize("again", [False, True], ids=["gone", "made-anew"])
def test_a_job_whose_destination_is_removed_meanwhile_fails_and_keeps_the_source(made, again):
    """Neither the folder that was open nor another one of its name gets anything; the log says what is missing."""
    to = made.data / "to"
    with made.work():
        made.run("slow")
        wait_until(lambda: any(path.stat().st_size for path in to.glob(".large.*.part")), what="a part")
        shutil.rmtree(to)
        if again:
            to.mkdir()
        assert made.finished("slow").findtext("completionStatus") == "Failure"
    assert any("the destination's folder or unfinished file was removed" in text for text in logged(made))
    assert not to.exists() or list(to.iterdir()) == []
    assert (made.data / "from" / "large").read_bytes() == LARGE
