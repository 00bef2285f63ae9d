"""The task's own faults: no file is touched or blamed (86, 93, 107)."""

import json

import pytest

from sertainty_svc.domain.tasks import Action, Filter, Folders
from tests.servers.diplomat_jobs import tree
from tests.servers.execution_program import command_of
from tests.servers.small_disk import run_on_small_disk
from tests.service.sertainty_svc.execution_worker import children, definition, task

__all__ = ["children", "task"]


def folders(**changes):
    return Folders(**{"source": "in", "destination": "out", **changes})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"source": "nowhere"}, "The folder nowhere cannot be used: nowhere: the folder does not exist."),
        ({"source": "in/a"}, "a link or a file is in the way"),
        ({"destination": "in/a"}, "a link or a file is in the way"),
        ({"source": "/etc"}, "The folder /etc lies outside the folders that tasks may reach."),
        ({"destination": "/etc"}, "The folder /etc lies outside the folders that tasks may reach."),
        ({"failed": "../failed"}, "'../failed' is no folder's name."),
        ({"archive": "away"}, "The folder away lies outside the folders that tasks may reach."),
        ({"destination": "same"}, "The folder same is the source, or lies below it."),
        ({"archive": "in"}, "The folder in is the source, or lies below it."),
        ({"source": "state"}, "The folder state is the hub's own state, which is no place for files."),
        ({"destination": "state/x"}, "The folder state/x is the hub's own state, which is no place for files."),
        ({"source": "filestore:/in"}, "is reached through filestore, and none is configured."),
    ],
)
def test_86_93_107_folders_that_cannot_be_used(task, tmp_path, changes, reason):
    """Items 86, 93 and 107: a folder that is missing, leads out, is the source or the hub's state: no file's fault."""
    one = task(Action.MOVE, files={"in/a": b"1"}, folders=folders(**changes))
    (tmp_path / "elsewhere").mkdir()
    (one.root / "away").symlink_to(tmp_path / "elsewhere")
    (one.root / "same").symlink_to("in")
    (one.root / "state").symlink_to(tmp_path / "data" / "state")
    result = one.add("a").run()
    assert reason in result.fault
    assert not result.stopped
    assert tree(one.root) == {"in/a": b"1"}
    assert one.states() == {"a": "waiting"}
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_107_without_roots_no_folder_can_be_reached(task):
    """Item 107: a hub whose configuration names no folders runs no task on them."""
    one = task(files={"in/a": b"1"}, order={"roots": ()})
    assert one.run().fault == "no folder is configured that tasks may reach."


def test_86_93_a_root_that_does_not_exist_is_named_and_not_made(task, tmp_path):
    """Items 86 and 93: missing folders are made below a root alone, which may be a mount that is away."""
    one = task(
        files={"in/a": b"1"},
        folders=folders(destination=f"{tmp_path}/mount/out"),
        order={"roots": (str(tmp_path / "root"), str(tmp_path / "mount"))},
    )
    fault = one.add("a").run().fault
    assert fault == f"The folder {tmp_path}/mount/out cannot be used: the root mount does not exist."
    assert not (tmp_path / "mount").exists()


def test_93_folders_by_absolute_paths_below_any_root_and_through_links(task, tmp_path):
    """Items 93 and 107: an absolute path below any root, and a link that leads to a folder below a root."""
    second = tmp_path / "second"
    (second / "real").mkdir(parents=True)
    one = task(
        files={"in/a": b"1"},
        folders=folders(destination=f"{second}/out", archive="linked"),
        order={"roots": (str(tmp_path / "root"), str(second))},
    )
    (one.root / "linked").symlink_to(second / "real")
    assert one.run().fault == ""
    assert tree(second) == {"out/a": b"1"}


def test_107_a_destination_below_the_source_is_refused_with_recurse_alone(task):
    """Item 103: with Recurse the files of such a destination would be found again."""
    chosen = folders(destination="linked/out")
    one = task(files={"in/a": b"1"}, folders=chosen, filter=Filter(recurse=True))
    (one.root / "linked").symlink_to("in")
    assert one.run().fault == "The folder linked/out is the source, or lies below it."
    two = task(files={"in/a": b"1"}, folders=chosen, folder=one.root / "two")
    (two.root / "linked").symlink_to("in")
    assert two.run().fault == ""
    assert tree(two.root / "in") == {"a": b"1", "out/a": b"1"}


def test_107_a_destination_below_the_source_is_refused_also_where_another_root_holds_it(task, tmp_path):
    """Items 103 and 107: one root may lie in another, and a link may lead there."""
    root = tmp_path / "root"
    chosen = Folders(source=f"{root}/in", destination=f"{root}/linked/out")
    roots = {"roots": (f"{root}/in/inner", f"{root}")}
    one = task(files={"in/inner/a": b"1"}, folders=chosen, filter=Filter(recurse=True), order=roots)
    (root / "linked").symlink_to("in/inner")
    assert one.run().fault == f"The folder {root}/linked/out is the source, or lies below it."


def test_86_a_destination_that_refuses_a_file_is_the_tasks_fault(task):
    """Item 86: files before it stay delivered; the file under way and those after it wait, and are not blamed."""
    one = task(Action.MOVE, files={"in/a": b"1", "in/b": b"2", "in/c": b"3"})

    def remove(data):
        if data["path"] == "b" and data.get("state") == "moving":
            for path in (one.root / "out").iterdir():
                path.rename(one.root / path.name)
            (one.root / "out").rmdir()

    one.before["changed"] = remove
    result = one.run()
    assert "the destination's folder or unfinished file was removed" in result.fault
    assert one.states() == {"a": "successful", "b": "waiting", "c": "waiting"}
    assert (one.files[1].temporary, one.files[1].description) == ("", "")
    assert tree(one.root) == {"in/b": b"2", "in/c": b"3", "a": b"1"}


def test_107_a_link_that_takes_the_place_of_a_folder_below_is_not_followed(task, tmp_path):
    """Item 107: a file of a batch whose folder has become a link is left, and nothing outside is read or removed."""
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "a").write_bytes(b"secret")
    one = task(Action.MOVE, files={"in/b": b"1"}, filter=Filter(recurse=True)).add("x/a", "b")
    (one.root / "in" / "x").symlink_to(tmp_path / "secret")
    assert one.run().fault == ""
    assert one.states() == {"x/a": "later", "b": "successful"}
    assert tree(one.root / "out") == {"b": b"1"}
    assert tree(tmp_path / "secret") == {"a": b"secret"}


def test_86_a_full_disk_is_the_tasks_fault(tmp_path):
    """Item 86: nothing is left on the disk, and the files that did not fit wait in their folder."""
    root, small = tmp_path / "root", tmp_path / "small"
    (root / "in").mkdir(parents=True)
    for name, size in (("a", 1000), ("b", 2 << 20), ("c", 1000)):
        (root / "in" / name).write_bytes(b"x" * size)
    task = definition(Action.MOVE, folders=folders(destination=f"{small}/out"))
    command = command_of(tmp_path, task, {"roots": (str(root), str(small))})
    ended = run_on_small_disk(command, small, mebibytes=1)
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert found["result"]["fault"] == "b: there is no room for it."
    assert found["states"] == {"a": "successful", "b": "waiting", "c": "waiting"}
    assert sorted(tree(root)) == ["in/b", "in/c"]


def test_86_107_a_link_in_the_way_of_a_folder_of_the_destination_is_the_fault_of_its_files_alone(task, tmp_path):
    """Items 86 and 107: the files of other folders are delivered, and nothing is written behind the link."""
    (tmp_path / "elsewhere").mkdir()
    one = task(Action.MOVE, files={"in/x/a": b"1", "in/y/b": b"2"}, filter=Filter(recurse=True)).add("x/a", "y/b")
    (one.root / "out").mkdir()
    (one.root / "out" / "x").symlink_to(tmp_path / "elsewhere")
    assert one.run().fault == ""
    assert one.states() == {"x/a": "failed", "y/b": "successful"}
    assert tree(one.root / "failed") == {"x/a": b"1"}
    assert list((tmp_path / "elsewhere").iterdir()) == []
