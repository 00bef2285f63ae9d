"""Executions that copy and move files, in children of a real runner (86, 87, 92, 93)."""

import os
import time

import pytest

from sertainty_svc.domain.tasks import Action, AfterSuccess, Filter, Folders
from sertainty_svc.operations.running.order import Result
from tests.servers.diplomat_jobs import tree
from tests.servers.processes import wait_until
from tests.service.sertainty_svc.execution_worker import children, identity, recursive, task
from tests.service.sertainty_svc.protected_tasks import machines

__all__ = ["children", "machines", "task"]

OVER = Result()
KEPT = {AfterSuccess.KEEP: {"in/a.csv": b"one"}, AfterSuccess.ARCHIVE: {"done/a.csv": b"one"}, AfterSuccess.DELETE: {}}


@pytest.mark.parametrize("after", list(AfterSuccess))
def test_87_92_a_copied_file_has_its_name_bytes_and_time_and_its_source_goes_as_asked(task, after):
    """Items 87 and 92: the source is kept, archived or deleted once the output is there."""
    one = task(files={"in/a.csv": b"one"}, after_success=after)
    os.utime(one.root / "in/a.csv", ns=(1, 1_700_000_000_123_000_000))
    assert one.run() == OVER
    assert tree(one.root) == {"out/a.csv": b"one", **KEPT[after]}
    assert (one.root / "out/a.csv").stat().st_mtime_ns == 1_700_000_000_123_000_000
    file = one.one()
    assert (file.state, file.destination, file.size, file.delivered_size, file.tries) == (
        *("successful", "a.csv"),
        *(3, 3, 1),
    )
    assert file.source_sha256 == file.delivered_sha256 != ""
    assert (file.temporary, file.checkpoint) == ("", None)
    assert one.lines() == [("Info", "a.csv", "copied")]


def test_92_move_is_copy_with_the_deletion_of_the_source(task):
    """Item 92: Move deletes its source, also of an empty file, and says so in the log."""
    one = task(Action.MOVE, files={"in/a": b"", "in/b": b"two"})
    assert one.run() == OVER
    assert tree(one.root) == {"out/a": b"", "out/b": b"two"}
    assert one.lines() == [("Info", "a", "moved"), ("Info", "b", "moved")]


def test_87_the_output_is_recorded_before_its_source_is_touched(task):
    """Item 87: the worker has stored that the output is delivered while the source is still there."""
    one = task(Action.MOVE, files={"in/a": b"one"})
    seen = []

    def look(data):
        seen.append((data["state"], (one.root / "in/a").exists(), (one.root / "out/a").exists()))

    one.before["changed"] = look
    assert one.run() == OVER
    assert seen == [("moving", True, False), ("delivered", True, True), ("successful", False, True)]


def test_86_87_an_existing_target_is_the_files_fault_and_the_others_go_on(task):
    """Items 86 and 87: nothing is replaced; the file goes to the folder of failed ones, under a free name."""
    files = {"in/a.tar.gz": b"new", "in/b": b"two", "out/a.tar.gz": b"old", "failed/a.tar.gz": b"former"}
    one = task(files=files, after_success=AfterSuccess.DELETE)
    assert one.run() == OVER
    assert one.states() == {"a.tar.gz": "failed", "b": "successful"}
    assert tree(one.root) == {
        "out/a.tar.gz": b"old",
        "out/b": b"two",
        "failed/a.tar.gz": b"former",
        "failed/a.tar-1.gz": b"new",
    }
    assert one.files[0].description == "a.tar.gz: exists already."
    assert one.lines()[0] == ("Error", "a.tar.gz", "a.tar.gz: exists already.")


def test_86_without_a_folder_of_failed_ones_the_file_is_left(task):
    """Item 86: a file that failed stays where it is; the worker remembers it."""
    folders = Folders(source="in", destination="out")
    one = task(files={"in/a": b"new", "out/a": b"old"}, folders=folders)
    assert one.run() == OVER
    assert one.states() == {"a": "failed"}
    assert tree(one.root) == {"in/a": b"new", "out/a": b"old"}


def test_87_a_target_is_replaced_where_the_task_says_so(task):
    """Item 87: Replace true replaces a file that is there."""
    one = task(files={"in/a": b"new", "out/a": b"old"}, replace=True)
    assert one.run() == OVER
    assert tree(one.root) == {"in/a": b"new", "out/a": b"new"}


def test_87_names_that_are_taken_in_the_archive_get_a_number(task):
    """Item 87: -1, -2 before the extension; a name without one, and a hidden folder's, get it at their end."""
    files = {"in/a.csv": b"3", "in/plain": b"4", "done/a.csv": b"1", "done/a-1.csv": b"2", "done/plain": b"0"}
    one = task(files=files, after_success=AfterSuccess.ARCHIVE)
    assert one.run() == OVER
    assert {path.name: path.read_bytes() for path in (one.root / "done").iterdir()} == {
        "a.csv": b"1",
        "a-1.csv": b"2",
        "a-2.csv": b"3",
        "plain": b"0",
        "plain-1": b"4",
    }


def test_93_subfolders_are_kept_everywhere(task):
    """Item 93: with Recurse, folders below the source are made at the destination and in the archive."""
    files = {"in/x/y/a": b"1", "in/b": b"2", "in/x/c.tmp": b"3"}
    chosen = recursive("*", exclude=["*.tmp"])
    one = task(Action.COPY, files=files, filter=chosen, after_success=AfterSuccess.ARCHIVE)
    assert one.run() == OVER
    assert tree(one.root) == {
        "out/x/y/a": b"1",
        "out/b": b"2",
        "done/x/y/a": b"1",
        "done/b": b"2",
        "in/x/c.tmp": b"3",
    }


def test_84_names_that_no_task_takes(task):
    """Items 84 and 107: hidden names, links, special files, unfinished files and excluded ones are passed over."""
    files = {"in/.hidden": b"", "in/.git/a": b"", "in/a.part": b"", "in/Draft-1": b"", "in/good": b"1", "secret": b"s"}
    one = task(files=files, filter=Filter(include=("*",), exclude=("Draft-*",), recurse=True))
    (one.root / "in/link").symlink_to(one.root / "secret")
    (one.root / "in/linked").symlink_to(one.root)
    os.mkfifo(one.root / "in/pipe")
    assert one.run() == OVER
    assert tree(one.root / "out") == {"good": b"1"}
    assert one.states() == {"good": "successful"}


def test_107_a_hard_linked_file_is_taken_like_any_other(task):
    """Item 107: a file with two names is copied, and its other name stays when one is deleted."""
    one = task(Action.MOVE, files={"other": b"1"})
    os.link(one.root / "other", one.root / "in/a")
    assert one.run() == OVER
    assert tree(one.root) == {"other": b"1", "out/a": b"1"}


def test_84_a_file_that_is_not_the_one_that_was_found_is_left_for_later(task):
    """Item 84: a batch names each file with its identity; one that changed, went or became a link is no error."""
    one = task(Action.MOVE, files=dict.fromkeys(("in/same", "in/grown", "in/gone", "in/link"), b"1"))
    names = ("same", "grown", "gone", "link")
    one.add(*names, identities={name: identity(one.root / "in" / name) for name in names})
    (one.root / "in/grown").write_bytes(b"12")
    (one.root / "in/gone").unlink()
    (one.root / "in/link").unlink()
    (one.root / "in/link").symlink_to("same")
    assert one.run() == OVER
    assert one.states() == {"same": "successful", "grown": "later", "gone": "later", "link": "later"}
    assert tree(one.root / "out") == {"same": b"1"}
    assert {level for level, _, _ in one.lines()} == {"Info"}


@pytest.mark.parametrize("change", [b"longer than first", b"other", b"", None])
def test_84_a_file_that_changes_while_it_is_read_is_left_for_later(task, change):
    """Item 84: no error, no output and no second try, also where its size stays the same; None removes the file."""
    one = task(Action.MOVE, files={"in/a": b"first"}, retries=3)

    def touch(data):
        if data["state"] == "moving":
            (one.root / "in/a").write_bytes(change)

    def replace(data):
        if data["state"] == "moving":
            (one.root / "in/new").write_bytes(b"newer")
            (one.root / "in/new").rename(one.root / "in/a")

    one.before["changed"] = replace if change is None else touch
    assert one.run() == OVER
    if change is None:
        # The version that was open is whole; the newer one is another file, and is not touched.
        assert tree(one.root) == {"in/a": b"newer", "out/a": b"first"}
        assert one.one().state == "successful"
        assert "changed since it was read" in one.one().description
    else:
        assert tree(one.root) == {"in/a": change}
        assert (one.one().state, one.one().tries, one.one().temporary) == ("later", 1, "")


@pytest.mark.parametrize("after", [AfterSuccess.ARCHIVE, AfterSuccess.DELETE])
def test_87_a_newer_file_that_takes_the_name_of_a_source_is_not_touched(task, after):
    """Item 87: the version that was read alone is archived or deleted."""
    one = task(files={"in/a": b"first"}, after_success=after)

    def replace(data):
        if data["state"] == "delivered" and "aside" not in data["checkpoint"]:
            (one.root / "in/a").write_bytes(b"newer")

    one.before["changed"] = replace
    assert one.run() == OVER
    assert tree(one.root) == {"in/a": b"newer", "out/a": b"first"}
    assert one.lines()[0][0] == "Warning"


def test_71_82_an_execution_ends_after_the_file_under_way(task):
    """Items 71 and 82: a pause, Disable or another active configuration lets the file under way finish."""
    one = task(files={"in/a": b"1", "in/b": b"2"})

    def pause(data):
        one.may_go_on = data["state"] == "waiting"

    one.before["changed"] = pause
    assert one.run() == Result(stopped=True)
    assert one.states() == {"a": "successful", "b": "waiting"}
    assert tree(one.root / "out") == {"a": b"1"}


def test_73_a_stop_ends_a_file_at_the_next_block_and_leaves_nothing(task):
    """Item 73: shutdown and restart end within a file; nothing half-written stays, and the source is whole."""
    one = task(Action.MOVE, files={"in/a": b"x" * (9 << 20)})
    one.before["changed"] = lambda _data: one.handle.stop()
    assert one.run() == Result(stopped=True, left=True)
    assert list(tree(one.root)) == ["in/a"]


def test_88_a_commit_that_the_worker_refuses_makes_nothing_visible(task):
    """Item 88: a worker that has lost the execution, or is to stop it, is asked right before the output appears."""
    one = task(Action.MOVE, files={"in/a": b"1"})
    one.owned = False
    assert one.run() == Result(stopped=True, left=True)
    assert tree(one.root) == {"in/a": b"1"}


def test_92_a_file_that_takes_too_long_has_failed(task):
    """Item 86: TimeLimit is the time that one file may take; the others go on."""
    one = task(files={"in/a": b"x" * (1 << 20), "in/b": b"2"}, time_limit_s=1)

    def hold(data):
        if data["path"] == "a" and data["state"] == "moving":
            began = time.monotonic()
            wait_until(lambda: time.monotonic() - began > 1.1)

    one.before["changed"] = hold
    assert one.run() == OVER
    assert one.states() == {"a": "failed", "b": "successful"}
    assert one.files[0].description == "It took longer than 1 seconds."
    assert sorted(tree(one.root)) == ["failed/a", "in/b", "out/b"]


def test_85_more_files_than_one_message_takes(task):
    """Item 85: a Time task handles every file that it finds, page by page."""
    one = task(files={f"in/{number:04}": b"" for number in range(501)}, after_success=AfterSuccess.KEEP)
    assert one.run() == OVER
    assert one.kinds().count("found") == 2
    assert set(one.states().values()) == {"successful"}
    assert len(tree(one.root / "out")) == 501


def test_85_a_run_without_files_is_no_error(task):
    """Item 80: a Time task that finds nothing ends well, and its folders are made."""
    one = task()
    assert one.run() == OVER
    assert sorted(path.name for path in one.root.iterdir()) == ["done", "failed", "in", "out"]


def test_92_names_of_any_bytes_are_copied_and_shown(task):
    """Item 92: a name that is not UTF-8, or holds a line's end, is copied with its bytes; the log shows it safely."""
    one = task(Action.MOVE)
    for name in (b"\xff.csv", b"new\nline"):
        (one.root / "in" / os.fsdecode(name)).write_bytes(name)
    assert one.run() == OVER
    found = {os.fsencode(path.name): path.read_bytes() for path in (one.root / "out").iterdir()}
    assert found == {b"\xff.csv": b"\xff.csv", b"new\nline": b"new\nline"}
    assert sorted(file for _, file, _ in one.lines()) == ["\\xff.csv", "new\ufffdline"]


def test_86_a_name_that_has_no_room_at_the_destination_is_the_files_fault(task, machines):
    """Items 86 and 89: the name of a protected file is longer; the others go on."""
    long = "n" * 252
    one = task(
        Action.AUTO_PROTECT, files={f"in/{long}": b"1", "in/a": b"2"}, order=machines.here.order(), id_name="edge.iic"
    )
    assert one.run() == OVER
    assert one.states() == {long: "failed", "a": "successful"}
    assert sorted(tree(one.root)) == [f"failed/{long}", "in/a", "out/a.sealed"]


def test_87_a_number_shortens_a_name_that_has_no_room_for_it(task):
    """Item 87: a name as long as a folder takes gets its number within that length."""
    name = "é" * 125 + ".csv"
    one = task(files={f"in/{name}": b"new", f"done/{name}": b"old"}, after_success=AfterSuccess.ARCHIVE)
    assert one.run() == OVER
    archived = sorted(tree(one.root / "done").values())
    assert archived == [b"new", b"old"]
    assert all(len(path.name.encode()) <= 255 for path in (one.root / "done").iterdir())


def test_86_93_a_file_in_the_place_of_a_folder_is_the_fault_of_the_files_below_alone(task):
    """Items 86 and 93: with Recurse, a file at the destination bears the name of a folder; the others go on."""
    files = {"in/x/a": b"1", "in/y/b": b"2", "out/x": b"a file"}
    one = task(files=files, filter=recursive())
    assert one.run() == OVER
    assert one.states() == {"x/a": "failed", "y/b": "successful"}
    assert tree(one.root) == {"failed/x/a": b"1", "in/y/b": b"2", "out/x": b"a file", "out/y/b": b"2"}


def test_107_the_log_names_what_a_run_passes_over(task):
    """Item 107: a link that the filter would take is told of, and no other."""
    one = task(files={"in/a.csv": b"1"}, filter=Filter(include=("*.csv",)))
    for name in ("link.csv", "link.txt", ".link.csv"):
        (one.root / "in" / name).symlink_to("a.csv")
    assert one.run() == OVER
    found = [("Warning", "link.csv", "link.csv: is a link or a special file."), ("Info", "a.csv", "copied")]
    assert one.lines() == found
