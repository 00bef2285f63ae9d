"""Tasks whose action is Script: files of a batch, runs by time, further tries, and kills in between (86 to 91)."""

import base64
import os
from dataclasses import replace

import pytest

from sertainty_svc.domain.tasks import Action, AfterSuccess, Folders, TaskType
from sertainty_svc.operations.running.order import Result
from tests.servers.diplomat_jobs import tree
from tests.servers.processes import wait_until
from tests.servers.stored_scripts import INTERPRETERS
from tests.service.sertainty_svc.execution_worker import children, task

__all__ = ["children", "task"]

FOLDERS = Folders(source="in", failed="failed", archive="done")
FILES = {"in/a": b"1", "in/b": b"2"}


@pytest.fixture
def scripted(task):
    """Return a function that makes a task with a script of the shell; one over files has a batch of all of them."""

    def make(text, files=FILES, name="convert.sh", **changes):
        order = {
            "script": (name, base64.b64encode(text.encode()).decode()),
            "interpreters": INTERPRETERS,
            "script_path": os.defpath,
        }
        values = {"type": TaskType.CHANGE, "folders": FOLDERS, "script": name, **changes}
        one = task(Action.SCRIPT, files=files, order=order, **values)
        return one.add(*(path.removeprefix("in/") for path in files)) if values["type"] is TaskType.CHANGE else one

    return make


def written(one):
    """Return the lines of the scripts in the log, with their files and streams."""
    return [(line["file"], line["stream"], line["text"]) for line in one.logged if line["stream"]]


def test_91_the_script_of_a_change_task_runs_once_for_each_file(scripted):
    """Item 91: with the absolute path, and the variables of the folders; without a destination that one is empty."""
    one = scripted('echo "$1 $TASK_SOURCE [$TASK_DESTINATION] $(cat "$TASK_FILE")"; echo oops >&2')
    assert one.run() == Result()
    source = one.root / "in"
    assert sorted(written(one)) == [
        *(("a", "stderr", "oops"), ("a", "stdout", f"{source}/a {source} [] 1")),
        *(("b", "stderr", "oops"), ("b", "stdout", f"{source}/b {source} [] 2")),
    ]
    assert one.states() == {"a": "successful", "b": "successful"}
    assert tree(one.root) == FILES


def test_91_the_script_of_a_time_task_runs_once_for_a_run(scripted):
    """Item 91: without an argument, also where there are files, and where the task has no folder at all."""
    one = scripted('echo "$# [$TASK_FILE] $TASK_SOURCE"', type=TaskType.TIME)
    assert one.run() == Result()
    assert written(one) == [("", "stdout", f"0 [] {one.root / 'in'}")]
    assert one.files == {}
    one.ran = {"runs": 0, "ran": False}
    one.order = one.order.from_json({**one.order.to_json(), "definition": bare(one.order.definition)})
    assert one.run() == Result()
    assert written(one)[1:] == [("", "stdout", "0 [] ")]


def bare(definition):
    """Return a definition without folders as plain data."""
    return {**definition.to_json(), "folders": vars(Folders())}


def test_91_the_destination_of_a_script_is_made(scripted):
    """Item 93: the script finds the folder, and what it writes there is its own affair."""
    one = scripted('cp "$1" "$TASK_DESTINATION"', folders=Folders(source="in", destination="made/out"))
    assert one.run() == Result()
    assert tree(one.root) == {**FILES, "made/out/a": b"1", "made/out/b": b"2"}


@pytest.mark.parametrize(
    ("after", "left"),
    [
        (AfterSuccess.KEEP, FILES),
        (AfterSuccess.DELETE, {}),
        (AfterSuccess.ARCHIVE, {"done/a": b"1", "done/b": b"2"}),
    ],
)
def test_87_after_success_applies_to_the_files_of_a_script(scripted, after, left):
    """Items 87 and 91: once the script has succeeded; what it writes into the source folder stays."""
    one = scripted('echo new > "$TASK_SOURCE/made-$(basename "$1")"', after_success=after)
    assert one.run() == Result()
    assert tree(one.root) == {**left, "in/made-a": b"new\n", "in/made-b": b"new\n"}


def test_87_a_script_may_remove_its_file_itself(scripted):
    """Item 91: what the script changes in the source folder is its affair."""
    one = scripted('rm "$1"', after_success=AfterSuccess.DELETE)
    assert one.run() == Result()
    assert (tree(one.root), one.states()) == ({}, {"a": "successful", "b": "successful"})
    assert [level for level, _, _ in one.lines()] == ["Info", "Info"]


def test_86_the_file_that_the_script_refuses_is_moved_and_the_others_go_on(scripted):
    """Item 86: an exit code other than 0 and 75 is that file's fault, without another try."""
    one = scripted('test "$(basename "$1")" = b || exit 9', retries=3)
    assert one.run() == Result()
    assert one.states() == {"a": "failed", "b": "successful"}
    assert (one.files[0].description, one.files[0].tries) == ("The script ended with exit code 9.", 1)
    assert tree(one.root) == {"failed/a": b"1", "in/b": b"2"}


def test_86_exit_code_75_is_tried_again(scripted):
    """Items 86 and 91: up to Retries times with back-off, and then it is the file's fault."""
    text = (
        'echo try; test "$(basename "$1")" = b && exit 75; mkdir "$TASK_SOURCE/../seen" 2>/dev/null && exit 75; exit 0'
    )
    one = scripted(text, retries=1)
    assert one.run() == Result()
    assert one.states() == {"a": "successful", "b": "failed"}
    assert [file.tries for file in one.files.values()] == [2, 2]
    assert one.files[1].description == "The script asks for another try (exit code 75)."
    assert len(written(one)) == 4


@pytest.mark.parametrize(
    ("text", "changes", "fault"),
    [
        ("exit 3", {}, "The script ended with exit code 3."),
        ("exit 75", {"retries": 0}, "The script asks for another try (exit code 75)."),
        ("sleep 100", {"time_limit_s": 1}, "The script was ended after its time limit of 1 s."),
        ("", {"name": "convert.rb"}, "No interpreter is enabled for scripts with the extension .rb."),
        ("", {"folders": Folders(source="nowhere")}, "the folder does not exist."),
    ],
)
def test_86_the_end_of_a_run_without_files_is_that_of_the_execution(scripted, text, changes, fault):
    """Item 86: a Time task has no file to blame."""
    assert scripted(text, type=TaskType.TIME, **changes).run().fault.endswith(fault)


@pytest.mark.parametrize(
    ("name", "folders", "fault"),
    [
        ("convert.pl", FOLDERS, "No interpreter is enabled for scripts with the extension .pl."),
        ("convert.sh", Folders(source="in", failed="in"), "The folder in is the source, or lies below it."),
    ],
)
def test_86_no_file_is_blamed_for_a_script_that_cannot_run(scripted, name, folders, fault):
    """Item 86: no interpreter, or a folder that cannot be used, is the task's fault; nothing is touched."""
    one = scripted("exit 0", name=name, folders=folders)
    assert one.run() == Result(fault=fault)
    assert one.states() == {"a": "waiting", "b": "waiting"}
    assert {file.tries for file in one.files.values()} == {0}
    assert tree(one.root) == FILES


def test_84_a_file_that_changed_since_it_was_found_is_left_for_later(scripted):
    """Item 84: the script does not run for it."""
    one = scripted("echo ran")
    one.files[0] = one.files[0].changed(identity="1:1:1")
    (one.root / "in" / "b").unlink()
    assert one.run() == Result()
    assert one.states() == {"a": "later", "b": "later"}
    assert written(one) == []


def test_82_no_script_begins_after_a_pause(scripted):
    """Items 71, 73 and 82: the file before is over, and the rest is left."""
    one = scripted("echo ran")
    one.before["changed"] = lambda data: setattr(one, "may_go_on", data["state"] != "successful")
    assert one.run() == Result(stopped=True)
    assert one.states() == {"a": "successful", "b": "waiting"}
    whole = scripted("echo ran", folder=one.root.parent / "second", type=TaskType.TIME)
    whole.may_go_on = False
    assert whole.run() == Result(stopped=True)
    assert written(whole) == []


def test_73_a_stop_ends_the_script_and_its_file_is_tried_later(scripted):
    """Item 73: the script gets SIGTERM, the execution says that it was stopped, and the run does not count."""
    one = scripted("trap 'echo cleaned; exit 0' TERM; echo up; while :; do sleep 0.02; done")
    handle = one.start()
    wait_until(lambda: written(one))
    handle.stop()
    assert Result(**handle.wait(20).result) == Result(stopped=True, left=True)
    assert [text for _, stream, text in written(one) if stream == "stdout"] == ["up", "cleaned"]
    assert one.states() == {"a": "waiting", "b": "waiting"}
    assert one.files[0].tries == 0


@pytest.mark.parametrize(("retries", "state"), [(1, "successful"), (0, "failed")])
def test_88_a_script_that_was_killed_counts_as_one_failed_run(scripted, retries, state):
    """Item 88: it runs again only where Retries allows, and nothing of the killed run is left."""
    one = scripted('test -e "$TASK_SOURCE/../second" && exit 0; echo up; sleep 1000', retries=retries)
    handle = one.start()
    wait_until(lambda: written(one))
    handle.kill()
    assert handle.wait(20).killed
    private = one.root.parent / "data" / "state" / "private"
    assert len(list(private.iterdir())) == 1
    (one.root / "second").touch()
    assert one.run(attempt=2) == Result()
    assert one.states() == {"a": state, "b": "successful"}
    assert list(private.iterdir()) == []
    if state == "failed":
        assert one.files[0].description == "The script was cut off with its process, and may not run again."


def test_88_a_killed_run_of_a_time_task_counts_too(scripted):
    """Item 88: the runs that were cut off count, and not the workers that took the execution without running it."""
    one = scripted("echo up; test $(cat $TASK_SOURCE/../kills) = 0 || sleep 1000", type=TaskType.TIME, retries=2)
    for number in (1, 2):
        (one.root / "kills").write_text(str(number))
        handle = one.start(attempt=number)
        wait_until(lambda ran=number: len(written(one)) == ran)
        handle.kill()
        assert handle.wait(20).killed
    (one.root / "kills").write_text("0")
    assert one.run(attempt=9, definition=replace(one.order.definition, retries=1)).fault == (
        "The script was cut off with its process, and may not run again."
    )
    assert one.run(attempt=9) == Result()
    assert len(written(one)) == 3


@pytest.mark.parametrize("stored", [False, True])
def test_88_a_script_of_a_time_task_that_has_succeeded_does_not_run_again(scripted, tmp_path, stored):
    """Item 88: whenever the worker is killed, also between the end of the script and that of the execution."""
    text = 'echo ran >> "$TASK_SOURCE/../runs"'
    undisturbed = scripted(text, folder=tmp_path / "undisturbed", type=TaskType.TIME)
    assert undisturbed.run() == Result()
    for number in range(len(undisturbed.messages) + 1):
        one = scripted(text, folder=tmp_path / str(number), type=TaskType.TIME)
        one.refused = (number, stored)
        assert one.killed() is (number < len(undisturbed.messages))
        one.refused = None
        runs = one.root / "runs"
        before = runs.exists()
        fault = one.run(attempt=2).fault
        assert runs.exists() is (before or not fault)
        assert not runs.exists() or runs.read_text() == "ran\n"
        assert fault == ("" if one.ran["ran"] else "The script was cut off with its process, and may not run again.")


def test_86_88_the_tries_of_a_time_task_count_over_its_workers(scripted):
    """Items 86 and 88: an end of the worker amid the pause before another try gives the script no further ones."""
    one = scripted("echo ran; exit 75", type=TaskType.TIME, retries=1)
    handle = one.start()
    wait_until(lambda: [level for level, _, _ in one.lines()] == ["Info", "Warning"])
    handle.stop()
    assert Result(**handle.wait(20).result) == Result(stopped=True, left=True)
    assert one.run(attempt=2).fault == "The script asks for another try (exit code 75)."
    assert len(written(one)) == 2


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("after", [AfterSuccess.ARCHIVE, AfterSuccess.DELETE])
def test_88_after_kill_9_at_any_message_each_file_ends_once(scripted, tmp_path, after, stored):
    """Item 88: a script that has succeeded does not run again, and its source is handled."""
    text = 'echo "$(basename "$1")" >> "$TASK_SOURCE/../runs"'
    undisturbed = scripted(text, folder=tmp_path / "undisturbed", after_success=after, retries=1)
    assert undisturbed.run() == Result()
    for number in range(len(undisturbed.messages)):
        one = scripted(text, folder=tmp_path / str(number), after_success=after, retries=1)
        one.refused = (number, stored)
        assert one.killed()
        one.refused = None
        known = {file.path for file in one.files.values() if file.state in ("delivered", "successful")}
        ran = (one.root / "runs").read_text().split() if (one.root / "runs").exists() else []
        assert one.run(attempt=2) == Result()
        assert one.states() == {"a": "successful", "b": "successful"}
        again = (one.root / "runs").read_text().split()[len(ran) :]
        assert not known & set(again)
        assert {path for path in tree(one.root) if path != "runs"} == {
            path for path in tree(undisturbed.root) if path != "runs"
        }


def test_88_the_sweep_removes_the_folder_of_a_killed_script(scripted):
    """Item 88: also where no further attempt follows."""
    one = scripted("echo up; sleep 1000")
    handle = one.start()
    wait_until(lambda: written(one))
    handle.kill()
    assert handle.wait(20).killed
    private = one.root.parent / "data" / "state" / "private"
    assert len(list(private.iterdir())) == 1
    assert one.sweep() == ""
    assert list(private.iterdir()) == []
