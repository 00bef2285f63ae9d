"""Managed transfers between folders that are killed or stopped, the runs that go on, and what a sweep removes (225)."""

import hashlib

import pytest

from mft_common.endpoints.file_listing import mark_of, version_of
from mft_common.endpoints.former import aside_name
from tests.servers.diplomat_jobs import tree
from tests.servers.managed_transfers import TOKEN, item
from tests.service.mqmft_svc.managed_worker import children, transfer

__all__ = ["children", "transfer"]

DELETE = {"disposition": "delete"}
DIRECTORY = {"type": "directory"}
OVERWRITE = {"if_exists": "overwrite"}
OVER = {"recover": "", "stopped": False, "left": False}


def inodes(folder):
    """Return the inode of each file below a folder that is whole."""
    return {str(path.relative_to(folder)): path.stat().st_ino for path in folder.rglob("[!.]*") if path.is_file()}


def two_files(transfer, folder, if_exists):
    """Return a transfer of a file that is deleted at its source, and of a directory with another."""
    one = item("a", "a", source_options=DELETE, destination_options={"if_exists": if_exists})
    other = item("d", "d", source_options=DIRECTORY, destination_options={**DIRECTORY, "if_exists": if_exists})
    return transfer(one, other, files={"a": b"one", "d/b": b"two"}, folder=folder)


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("if_exists", ["error", "overwrite"])
def test_225_after_kill_9_at_any_message_the_next_run_ends_each_file_once(transfer, tmp_path, if_exists, stored):
    """Items 221, 224 and 225: what has its final name is not written again, and what is over is not touched."""
    undisturbed = two_files(transfer, tmp_path / "undisturbed", if_exists)
    undisturbed.run()
    assert len(undisturbed.messages) == 10
    for number in range(10):
        one = two_files(transfer, tmp_path / str(number), if_exists)
        one.refused = (number, stored)
        one.killed()
        before, over = inodes(one.destination), {place: file for place, file in one.files.items() if file.over}
        assert one.run(recover=True) == OVER
        assert one.states() == ["successful", "successful"], one.files
        assert tree(one.destination) == {"a": b"one", "d/b": b"two"}
        assert tree(one.source) == {"d/b": b"two"}
        assert before.items() <= inodes(one.destination).items()
        assert over.items() <= one.files.items()
        for file, content in zip(one.files.values(), (b"one", b"two"), strict=True):
            assert file.source_md5 == file.delivered_md5 == hashlib.md5(content, usedforsecurity=False).hexdigest()
            assert (file.temporary, file.checkpoint, file.delivered_size) == ("", None, 3)


def test_224_a_deletion_that_was_cut_off_is_ended_by_the_next_run(transfer):
    """Items 224 and 225: the source that was moved aside goes, and the file is successful without a warning."""
    one = transfer(item("d/a", "b", source_options=DELETE), files={"d/a": b"content"})
    one.refused = (4, True)
    one.killed()
    assert one.kinds()[-1] == "delivered"
    source = one.source / "d" / "a"
    source.rename(source.with_name(aside_name("a", TOKEN, mark_of(version_of(source.stat())))))
    assert one.run() == OVER
    assert (one.one().state, one.one().description) == ("successful", "")
    assert (tree(one.source), tree(one.destination)) == ({}, {"b": b"content"})


def test_224_a_deletion_that_was_cut_off_is_left_to_the_sweep_where_the_source_is_gone(transfer):
    """Items 224 and 225: the run ends with a warning, and a newer source that is aside gets its name back later.

    The destination is one that names no unfinished files, such as a bucket.
    """
    one = transfer(item("a", "b", source_options=DELETE), files={"a": b"newer"})
    one.refused = (4, True)
    one.killed()
    assert one.kinds()[-1] == "delivered"
    (one.source / "a").rename(one.source / aside_name("a", TOKEN, "A" * 16))
    one.files[0] = one.one().changed(temporary="")
    assert one.run(source="file:nowhere") == {**OVER, "left": True}
    assert one.states() == ["warning"]
    assert one.sweep(sources=["a"]) == ""
    assert tree(one.source) == {"a": b"newer"}


@pytest.mark.parametrize(("disposition", "state"), [("leave", "successful"), ("delete", "warning")])
def test_225_a_file_that_arrived_has_not_failed_where_the_source_is_gone(transfer, disposition, state):
    """Items 224 and 225: the earlier run was killed after the commit, before it could tell."""
    one = transfer(item("a", "b", source_options={"disposition": disposition}), files={"a": b"content"})
    one.refused = (4, False)
    one.killed()
    assert tree(one.destination) == {"b": b"content"}
    one.run(source="file:nowhere")
    assert (one.states(), one.one().delivered_size) == ([state], 7)
    assert ("not deleted" in one.one().description) == (disposition == "delete")


def test_225_a_file_of_the_same_size_proves_no_commit(transfer):
    """Items 221 and 225: after a kill before the commit, another file of that name is what makes the item fail."""
    one = transfer(item("a", "b", source_options=DELETE), files={"a": b"content"})
    one.refused = (3, True)
    one.killed()
    assert one.kinds()[-1] == "may_commit"
    (one.destination / "b").write_bytes(b"another")
    assert one.run() == OVER
    assert one.one().description == "BFGIO0006E: b: exists already."
    assert tree(one.source) == {"a": b"content"}
    assert tree(one.destination) == {"b": b"another"}


def test_225_files_that_come_after_the_first_move_are_no_part_of_the_transfer(transfer):
    """Items 93 and 225: positions stay, and what a killed child had not told is found by the next."""
    one = transfer(item("*", "d/"), item("x", "y"), files={"b": b"", "c": b""})
    one.refused = (0, False)
    one.killed()
    (one.source / "a").write_bytes(b"")
    one.refused = (3, True)
    one.killed()
    (one.source / "d").write_bytes(b"")
    one.run()
    assert [(file.source, file.item) for file in one.files.values()] == [("a", 0), ("b", 0), ("c", 0), ("x", 1)]
    assert one.states() == ["successful"] * 3 + ["failed"]


def test_225_pages_that_were_not_told_are_found_behind_the_known_ones(transfer):
    """Items 93 and 225: a child that was killed between two pages of files loses none and doubles none."""
    names = [f"{number:04}" for number in range(1003)]
    one = transfer(item("*", "d/"), item("0000", "single"), files=dict.fromkeys(names, b""))
    one.refused = (1, False)
    one.killed()
    assert sorted(one.files) == list(range(1000))
    assert one.run(files=[], more=True) == OVER
    assert [file.source for file in one.files.values()] == [*names, "0000"]
    assert set(one.states()) == {"successful"}


def test_217_225_names_that_cannot_be_moved_are_found_behind_the_known_ones(transfer):
    """Items 217 and 225: a link that was not told before its child was killed is an item that fails all the same."""
    names = [f"{number:04}" for number in range(1000)]
    one = transfer(
        item("", "d", source_options=DIRECTORY, destination_options=DIRECTORY), files=dict.fromkeys(names, b"")
    )
    (one.source / "1000").symlink_to("0000")
    one.refused = (1, False)
    one.killed()
    assert sorted(one.files) == list(range(1000))
    assert one.run(files=[], more=True) == OVER
    assert [file.source for file in one.files.values()] == [*names, "1000"]
    assert one.states() == [*["successful"] * 1000, "failed"]


def test_225_a_run_that_cannot_keep_its_private_file_goes_on_later(transfer, tmp_path):
    """Item 225: a file that was under way has not failed because the hub has no room or no right there."""
    one = transfer(item("a", "b"), files={"a": b"content"})
    one.refused = (2, True)
    one.killed()
    private = tmp_path / "no folder"
    private.write_bytes(b"")
    reason = "a private file: exists already."
    assert one.run(private=str(private)) == {"recover": reason, "stopped": False, "left": True}
    assert one.states() == ["moving"]
    private.unlink()
    assert one.run(private=str(private)) == OVER
    assert (one.states(), tree(one.destination)) == (["successful"], {"b": b"content"})


@pytest.mark.parametrize("recover", [True, False])
@pytest.mark.parametrize(
    ("kind", "states", "names"),
    [("began", ["moving", "waiting"], []), ("may_commit", ["successful", "waiting"], ["d/a"])],
)
def test_180_a_stop_ends_the_run_and_shows_nothing_of_an_unfinished_file(transfer, recover, kind, states, names):
    """Item 180: a file whose commit is allowed already arrives, another does not; a later run goes on."""
    one = transfer(item("*", "d/"), files={"a": b"1", "b": b"2"})
    one.before[kind] = lambda _data: one.handle.stop()
    assert one.run(recover=recover) == {"recover": "", "stopped": True, "left": True}
    assert (one.states(), sorted(tree(one.destination))) == (states, names)
    one.before.clear()
    assert one.run() == OVER
    assert tree(one.destination) == {"d/a": b"1", "d/b": b"2"}


def test_225_a_worker_that_lost_the_transfer_lets_nothing_become_visible(transfer):
    """Item 225: a child whose commit is refused ends, and leaves the transfer to the other worker."""
    one = transfer(item("a", "b", destination_options=OVERWRITE), files={"a": b"new"})
    (one.destination / "b").write_bytes(b"old")
    one.owned = False
    assert one.run() == {"recover": "", "stopped": True, "left": True}
    assert tree(one.destination) == {"b": b"old"}
    assert one.states() == ["moving"]


def test_180_a_sweep_removes_unfinished_files_and_ends_deletions(transfer):
    """Items 180 and 224: those of this transfer; a source that was moved aside is deleted, a newer one is put back."""
    one = transfer(item("d/*", "sub/", source_options=DELETE), files={"d/a": b"1", "d/b": b"2"})
    one.refused = (3, True)
    one.killed()
    (one.destination / ".other.0000000000000001.part").write_bytes(b"")
    assert f"sub/.a.{TOKEN}.part" in tree(one.destination)
    for name, mark in (("a", mark_of(version_of((one.source / "d" / "a").stat()))), ("b", "A" * 16)):
        (one.source / "d" / name).rename(one.source / "d" / aside_name(name, TOKEN, mark))
    assert one.sweep(sources=["d/a", "d/b", "gone/c"]) == ""
    assert tree(one.destination) == {".other.0000000000000001.part": b""}
    assert tree(one.source) == {"d/b": b"2"}
    one.payload["source"] = "file:nothing"
    one.payload["destination"] = "file:nothing"
    assert one.sweep(sources=["a"]) == ""


def test_219_a_root_that_is_missing_fails_every_item(transfer):
    """Items 219 and 225: nothing is tried again."""
    one = transfer(item("a", "b"), item("d", "e/", source_options=DIRECTORY), source="file:nowhere")
    assert one.run(retry_count=3, recover=True) == OVER
    assert one.states() == ["failed", "failed"]
    assert {file.description[:12] for file in one.files.values()} == {"BFGIO0001E: "}
    assert one.kinds() == ["found"]
