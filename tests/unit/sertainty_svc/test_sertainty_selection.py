"""Which files a task takes, and how its folders are named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sertainty_svc.domain.places import folders_above, place_of, source_of
from sertainty_svc.domain.selection import selection
from sertainty_svc.domain.tasks import Action, Filter, Folders, TaskDefinition, TaskType


def task(action=Action.COPY, source="in", include=("*",), exclude=()):
    """Return a Change task."""
    return TaskDefinition(
        name="t", type=TaskType.CHANGE, action=action, folders=Folders(source=source),
        filter=Filter(include=tuple(include), exclude=tuple(exclude)),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("include", "exclude", "names"),
    [
        (("*",), (), ["a.csv", "B.CSV", "a[1].txt", "x\n.csv", "sub/a.csv", "\udcff.csv"]),
        (("*.csv",), (), ["a.csv", "x\n.csv", "sub/a.csv", "\udcff.csv"]),
        (("*.CSV", "a[[]?].txt"), (), ["B.CSV", "a[1].txt"]),
        (("*",), ("*.csv", "B*"), ["a[1].txt"]),
        (("[!a]*.csv",), (), ["x\n.csv", "\udcff.csv"]),
    ],
)
def test_84_shell_patterns_choose_by_the_last_step_of_the_path(include, exclude, names):
    """Item 84: case counts, the class of characters included, and what is excluded is never taken."""
    takes = selection(task(include=include, exclude=exclude))
    every = ["a.csv", "B.CSV", "a[1].txt", "x\n.csv", "sub/a.csv", "\udcff.csv"]
    assert [name for name in every if takes(name)] == names


@given(st.text(min_size=1).filter(lambda text: "/" not in text))
def test_84_no_name_with_a_dot_before_it_is_taken(name):
    """Item 84: at any level, whatever the patterns are; the hub's own unfinished files are among them."""
    takes = selection(task(include=("*", ".*", "**", f".{name}")))
    assert not takes(f".{name}")
    assert not takes(f".{name}/x")
    assert not takes(f"x/.{name}/y")


def test_89_90_the_ending_of_protected_files_decides_for_the_two_actions_alone():
    """Items 89 and 90: case counts."""
    names = ["x", "x.sealed", "x.Sealed"]
    taken = {action: [name for name in names if selection(task(action))(name)] for action in Action}
    assert taken.pop(Action.AUTO_PROTECT) == ["x", "x.Sealed"]
    assert taken.pop(Action.AUTO_UNPROTECT) == ["x.sealed"]
    assert all(found == names for found in taken.values())


def test_93_a_folder_has_one_name_however_it_is_written():
    """Item 93: relative ones, absolute ones and those of the filestore stay apart."""
    for written, named in (
        ("in", "file:in"), ("./in//", "file:in"), ("/srv/x/./in", "file:/srv/x/in"), (".", "file:"),
        ("filestore:/a//b/", "filestore:/a/b"), ("filestore:/", "filestore:/"),
    ):  # fmt: skip
        assert source_of(task(source=written)) == named


def test_112_the_folders_above_a_stored_file_are_those_that_a_task_may_watch():
    """Item 112: the nearest first, down to the whole store."""
    assert folders_above("filestore:/", "/a/b/c.csv") == ["filestore:/a/b", "filestore:/a", "filestore:/"]
    assert folders_above("filestore:/", "/c.csv") == ["filestore:/"]
    assert folders_above("filestore:/a", "b/c.csv") == ["filestore:/a/b", "filestore:/a", "filestore:/"]
    assert folders_above("file:/a", "b/c.csv") == ["file:/a/b", "file:/a", "file:/"]
    assert folders_above("file:a", "b/c.csv") == ["file:a/b", "file:a", "file:"]
    assert folders_above("file:", "c.csv") == ["file:"]


def test_111_a_file_has_one_place_in_whichever_folder_above_it_a_task_watches():
    """Item 111: a path of the filestore, one on this machine and one below the first root are three places."""
    stored = place_of("filestore:/", "/a/b/c")
    assert stored == place_of("filestore:/a", "b/c") == place_of("filestore:/a/b", "c")
    assert place_of("file:/a", "b/c") == place_of("file:/a/b", "c")
    assert place_of("file:a", "b/c") == place_of("file:a/b", "c")
    assert len({stored, place_of("file:/a", "b/c"), place_of("file:a", "b/c")}) == 3
