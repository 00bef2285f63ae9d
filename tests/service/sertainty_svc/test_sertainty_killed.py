"""Executions whose child is killed with SIGKILL, and the attempts that go on (88)."""

import random
import time

import pytest

from mft_common.endpoints.file_listing import mark_of, version_of
from mft_common.endpoints.former import aside_name
from sertainty_svc.domain.tasks import Action, AfterSuccess, Folders
from sertainty_svc.operations.running.order import Result
from tests.servers.diplomat_jobs import tree
from tests.servers.processes import wait_until
from tests.service.sertainty_svc.execution_worker import TOKEN, children, recursive, task

__all__ = ["children", "task"]

OVER = Result()
FILES = {"in/a.bin": b"one" * 1000, "in/x/b.bin": b"two" * 1000}
# A kill at each of these seeded parts of the time that an undisturbed attempt takes.
_SEED = 20260131
_KILLS = 16


def undone(one, action, after, sources=FILES):
    """Return the tree that is wanted in the end, for outputs that are copies."""
    wanted = {f"out/{name.removeprefix('in/')}": content for name, content in sources.items()}
    if after is AfterSuccess.ARCHIVE:
        return wanted | {f"done/{name.removeprefix('in/')}": content for name, content in sources.items()}
    return wanted if action is Action.MOVE or after is AfterSuccess.DELETE else wanted | dict(sources)


def check_whole(one):
    """Check that no source is lost and no part of a file has a final name."""
    there = tree(one.root)
    for name, content in FILES.items():
        path = name.removeprefix("in/")
        aside = [found for place, found in there.items() if place.startswith((f"in/{path}", f"done/{path}"))]
        hidden = [found for place, found in there.items() if place.startswith("in/") and place.endswith(".part")]
        output = there.get(f"out/{path}")
        assert output in (None, content)
        assert output == content or content in aside or content in hidden, (name, sorted(there))
        delivered = one.states().get(path) in ("delivered", "successful")
        assert content in aside or content in hidden or (delivered and output == content), (name, sorted(there))


def outputs(one):
    """Return the inode of each output that is visible."""
    folder = one.root / "out"
    return {str(path): path.stat().st_ino for path in folder.rglob("[!.]*") if path.is_file()}


ACTIONS = [
    (Action.COPY, AfterSuccess.KEEP),
    (Action.COPY, AfterSuccess.ARCHIVE),
    (Action.COPY, AfterSuccess.DELETE),
    (Action.MOVE, AfterSuccess.KEEP),
]


def check_the_next_attempt(one, action, after):
    """Check what is left after a kill, and that the next attempt ends each file once."""
    check_whole(one)
    before = outputs(one)
    assert one.run(attempt=2) == OVER
    if one.files:
        assert set(one.states().values()) == {"successful"}, one.files
        assert {file.description for file in one.files.values()} == {""}
    assert tree(one.root) == undone(one, action, after)
    assert before.items() <= outputs(one).items()


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize(("action", "after"), ACTIONS)
def test_88_after_kill_9_at_any_message_the_next_attempt_ends_each_file_once(task, tmp_path, action, after, stored):
    """Item 88: an output that was complete is recognised, and nothing partial was ever visible."""
    options = {"files": FILES, "filter": recursive(), "after_success": after}
    undisturbed = task(action, folder=tmp_path / "undisturbed", **options)
    assert undisturbed.run() == OVER
    assert tree(undisturbed.root) == undone(undisturbed, action, after)
    for number in range(len(undisturbed.messages)):
        one = task(action, folder=tmp_path / str(number), **options)
        one.refused = (number, stored)
        assert one.killed()
        one.refused = None
        if all(file.over for file in one.files.values()) and one.files:
            # The worker ends such an execution by itself.
            continue
        check_the_next_attempt(one, action, after)


@pytest.mark.parametrize(("action", "after"), ACTIONS)
def test_88_after_kill_9_at_any_moment_the_next_attempt_ends_each_file_once(task, tmp_path, action, after):
    """Item 88: kills between any two instructions, at seeded moments of an attempt."""
    options = {"files": FILES, "filter": recursive(), "after_success": after}
    undisturbed = task(action, folder=tmp_path / "undisturbed", **options)
    began = time.monotonic()
    assert undisturbed.run() == OVER
    lasted = time.monotonic() - began
    drawn = random.Random(_SEED)
    for number in range(_KILLS):
        one = task(action, folder=tmp_path / str(number), **options)
        handle = one.start()
        handle.wait(drawn.random() * lasted)
        handle.kill()
        end = handle.wait(60)
        if end.completed or (one.files and all(file.over for file in one.files.values())):
            continue
        check_the_next_attempt(one, action, after)


@pytest.mark.parametrize("stored", [False, True])
def test_86_88_a_failed_file_that_is_being_moved_aside_fails_once(task, tmp_path, stored):
    """Items 86 and 88: after kill -9 at any message the file is in the folder of failed ones once, and nowhere else."""
    options = {"files": {"in/a": b"new", "out/a": b"old"}}
    undisturbed = task(folder=tmp_path / "undisturbed", **options)
    assert undisturbed.run() == OVER
    wanted = {"out/a": b"old", "failed/a": b"new"}
    assert tree(undisturbed.root) == wanted
    for number in range(len(undisturbed.messages)):
        one = task(folder=tmp_path / str(number), **options)
        one.refused = (number, stored)
        assert one.killed()
        one.refused = None
        if not (one.files and one.one().over):
            assert one.run(attempt=2) == OVER
        assert tree(one.root) == wanted
        assert (one.one().state, one.one().description) == ("failed", "a: exists already.")


def test_88_another_file_of_the_same_size_is_an_existing_target(task):
    """Items 87 and 88: only the very bytes prove a commit that was not reported."""
    one = task(files={"in/a": b"first"})
    one.before["may_commit"] = lambda _data: setattr(one, "refused", (len(one.messages) - 1, True))
    assert one.killed()
    one.before, one.refused = {}, None
    (one.root / "out/a").write_bytes(b"other")
    assert one.run(attempt=2) == OVER
    assert one.one().description == "a: exists already."
    assert tree(one.root) == {"out/a": b"other", "failed/a": b"first"}


def test_73_88_what_a_killed_execution_left_is_swept(task):
    """Items 73 and 88: an execution that nobody goes on with leaves no unfinished file in any folder."""
    one = task(Action.MOVE, files={"in/x/a": b"first"}, filter=recursive())
    one.before["may_commit"] = lambda _data: setattr(one, "refused", (len(one.messages) - 1, True))
    assert one.killed()
    (left,) = (one.root / "out" / "x").iterdir()
    assert left.name.endswith(".part")
    assert one.sweep() == ""
    assert tree(one.root) == {"in/x/a": b"first"}


def test_73_88_a_deletion_that_was_cut_off_is_ended_by_the_sweep(task):
    """Item 88: the source of a delivered file that was moved aside to be deleted goes; a newer one returns."""
    one = task(
        Action.MOVE, files={"in/x/a": b"first", "in/x/b": b"newer"}, folders=Folders(source="in", destination="out")
    )
    one.add("x/a", "x/b")
    folder = one.root / "in/x"
    (folder / "a").rename(folder / aside_name("a", TOKEN, mark_of(version_of((folder / "a").stat()))))
    (folder / "b").rename(folder / aside_name("b", TOKEN, "A" * 16))
    assert one.sweep() == ""
    assert tree(one.root) == {"in/x/b": b"newer"}


def test_88_a_worker_is_asked_for_its_word_while_bytes_are_written(task):
    """Item 88: a child whose worker has lost the execution writes nothing for long; the worker's answer kills it."""
    one = task(Action.MOVE, files={"in/a": b"x" * (3 << 20)}, order={"confirm_s": 0.0})
    assert one.run() == OVER
    assert one.held > 2


@pytest.mark.parametrize("stored", [False, True])
def test_85_88_files_that_were_not_found_before_a_kill_are_found_by_the_next_attempt(task, stored):
    """Items 85 and 88: a run that is killed while it lists its source handles all files nevertheless."""
    names = [f"{number:04}" for number in range(501)]
    one = task(files={f"in/{name}": b"" for name in names})
    one.before["found"] = lambda _data: setattr(one, "refused", (len(one.messages) - 1, stored))
    assert one.killed()
    assert len(one.files) == (500 if stored else 0)
    one.before, one.refused = {}, None
    assert one.run(attempt=2) == OVER
    assert one.states() == dict.fromkeys(names, "successful")


def test_86_88_a_committed_file_does_not_fail_by_its_time_limit_while_it_is_compared(task):
    """Items 86 and 88: a stop amid the comparison leaves it to the next attempt, however long that has taken."""
    one = task(Action.MOVE, files={"in/a": b"x" * (3 << 20)}, time_limit_s=1, order={"confirm_s": 0.0})

    def refuse(data):
        if data["state"] == "delivered":
            one.refused = (len(one.messages) - 1, False)

    one.before["changed"] = refuse
    assert one.killed()

    def compared():
        began = time.monotonic()
        wait_until(lambda: time.monotonic() - began > 1.1)
        one.handle.stop()

    one.before, one.refused, one.when_held = {}, None, compared
    assert one.run(attempt=2) == Result(stopped=True, left=True)
    one.when_held = None
    assert one.run(attempt=3) == OVER
    assert one.states() == {"a": "successful"}
    assert list(tree(one.root)) == ["out/a"]
