"""The rules of managed transfers between folders, each in a child of the real runner (4.D)."""

import hashlib
import os

import pytest

from tests.servers.diplomat_jobs import tree
from tests.servers.managed_transfers import TOKEN, item
from tests.service.mqmft_svc.managed_worker import children, transfer

__all__ = ["children", "transfer"]

OVERWRITE = {"if_exists": "overwrite"}
DELETE = {"disposition": "delete"}
DIRECTORY = {"type": "directory"}
TEXT = {"mode": "text"}
OVER = {"recover": "", "stopped": False, "left": False}


def md5(content):
    """Return the MD5 of a content."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def test_218_a_file_arrives_and_each_step_is_told_before_it_is_done(transfer):
    """Items 95, 218 and 223: the name of the unfinished file comes first; sizes and digests are those of both sides."""
    one = transfer(item("a", "sub/b"), files={"a": b"content"})
    one.before["began"] = lambda data: seen.append((data["temporary"], tree(one.destination)))
    one.before["may_commit"] = lambda _data: seen.append(sorted(tree(one.destination)))
    seen = []
    assert one.run() == OVER
    temporary = f"sub/.b.{TOKEN}.part"
    assert seen == [(temporary, {}), [temporary]]
    assert one.kinds() == ["found", "began", "progress", "may_commit", "file_ended"]
    file = one.one()
    assert (file.state, file.description, file.delivered, file.tries) == ("successful", "", True, 1)
    assert (file.size, file.delivered_size, file.bytes_done) == (7, 7, 7)
    assert file.source_md5 == file.delivered_md5 == md5(b"content")
    assert file.source_sha256 == file.delivered_sha256 == hashlib.sha256(b"content").hexdigest()
    assert file.modified_at == (one.source / "a").stat().st_mtime_ns // 1_000_000
    assert (file.temporary, file.checkpoint) == ("", None)
    assert tree(one.destination) == {"sub/b": b"content"}


def test_218_219_a_missing_item_fails_and_the_rest_of_the_request_runs(transfer):
    """Items 93, 218 and 219: files have positions in the order of the request, then of their names."""
    one = transfer(
        item("d", "tree/", source_options={**DIRECTORY, "recursive": True}),
        item("missing", "x"),
        item("*.txt", "texts/"),
        files={"d/b": b"1", "d/a/c": b"2", "y.txt": b"3", "z.txt": b""},
    )
    assert one.run() == OVER
    assert one.states() == ["successful", "successful", "failed", "successful", "successful"]
    assert [file.item for file in one.files.values()] == [0, 0, 1, 2, 2]
    assert one.files[2].description == "BFGIO0001E: missing: does not exist."
    assert tree(one.destination) == {"tree/a/c": b"2", "tree/b": b"1", "texts/y.txt": b"3", "texts/z.txt": b""}


def test_218_many_files_are_told_in_pages(transfer):
    """Item 218: 1,100 files come in two messages, and each arrives."""
    names = [f"{number:04}" for number in range(1100)]
    one = transfer(item("*", ".", destination_options=DIRECTORY), files=dict.fromkeys(names, b"x"))
    assert one.run() == OVER
    assert [len(data) for kind, data in one.messages if kind == "found"] == [1000, 100]
    assert sorted(tree(one.destination)) == names


@pytest.mark.parametrize("side", ["source", "destination"])
def test_97_what_is_removed_after_it_was_found_fails_by_its_side(transfer, side):
    """Items 97 and 219: a source that is gone has an id of its own, a folder at the destination has not."""
    one = transfer(item("a", "d/b"), files={"a": b"content"})
    if side == "source":
        one.before["found"] = lambda _data: (one.source / "a").unlink()
    else:
        one.before["began"] = lambda _data: (one.destination / "d").rmdir()
    assert one.run(retry_count=3) == OVER
    assert one.one().description.startswith({"source": "BFGIO0001E: a: ", "destination": "BFGTR0072E: d"}[side])


@pytest.mark.parametrize("way", ["name", "root", "link"])
def test_217_source_and_destination_are_the_same_file(transfer, tmp_path, way):
    """Item 217: by the same name, through a root inside the other, and by a second name of the file: it stays."""
    wanted = item("d/a", "d/a", destination_options=OVERWRITE, source_options=DELETE)
    root = {"name": "file:from", "root": "file:from/d", "link": "file:to"}[way]
    if way == "root":
        wanted = item("d/a", "a", destination_options=OVERWRITE, source_options=DELETE)
    one = transfer(wanted, files={"d/a": b"content"}, destination=root)
    if way == "link":
        (tmp_path / "to" / "d").mkdir()
        os.link(tmp_path / "from" / "d" / "a", tmp_path / "to" / "d" / "a")
    assert one.run() == OVER
    assert one.one().state == "failed"
    assert one.one().description.endswith("source and destination are the same file.")
    assert tree(one.source) == {"d/a": b"content"}


@pytest.mark.parametrize("name", ["link", "pipe"])
def test_217_a_link_at_the_destination_stays_and_nothing_is_written_through_it(transfer, name):
    """Item 217: also where a file may be overwritten."""
    one = transfer(item("d", ".", source_options=DIRECTORY, destination_options=OVERWRITE), files={f"d/{name}": b"new"})
    (one.destination / "target").write_bytes(b"old")
    (one.destination / "link").symlink_to("target")
    os.mkfifo(one.destination / "pipe")
    one.run()
    assert one.one().description.startswith(f"BFGIO0056E: {name}: is a link or a special file")
    assert (one.destination / "link").is_symlink()
    assert (one.destination / "target").read_bytes() == b"old"


def test_221_an_existing_file_stays_and_not_a_byte_is_written(transfer):
    """Item 221: the item fails before its first byte."""
    one = transfer(item("a", "b"), files={"a": b"new"})
    (one.destination / "b").write_bytes(b"old")
    one.run(retry_count=3)
    assert (one.one().state, one.one().tries) == ("failed", 1)
    assert one.one().description == "BFGIO0006E: b: exists already."
    assert tree(one.destination) == {"b": b"old"}
    assert "checkpoint" not in one.kinds()


def test_221_a_file_that_appears_meanwhile_stays(transfer):
    """Item 221: at the last moment before the commit."""
    one = transfer(item("a", "b", source_options=DELETE), files={"a": b"new"})
    one.before["may_commit"] = lambda _data: (one.destination / "b").write_bytes(b"theirs")
    one.run()
    assert one.one().description.startswith("BFGIO0006E: ")
    assert tree(one.destination) == {"b": b"theirs"}
    assert tree(one.source) == {"a": b"new"}


def test_221_overwrite_replaces_in_one_step(transfer):
    """Item 221: the old file is there until the new one is."""
    one = transfer(item("a", "b", destination_options=OVERWRITE), files={"a": b"new"})
    (one.destination / "b").write_bytes(b"old")
    one.before["may_commit"] = lambda _data: seen.append((one.destination / "b").read_bytes())
    seen = []
    one.run()
    assert (one.one().state, seen, tree(one.destination)) == ("successful", [b"old"], {"b": b"new"})


def test_222_text_changes_encoding_and_line_ends(transfer):
    """Items 222 and 223: each side's size and checksum are those of its own bytes."""
    options = {"source_options": {"encoding": "ISO-8859-1"}}
    options["destination_options"] = {"encoding": "UTF-16-LE", "end_of_line": "CRLF"}
    read = "Größe\r\nzwei\ndrei\r".encode("latin-1")
    one = transfer(item("a", "b", options=TEXT, **options), files={"a": read})
    one.run()
    written = "Größe\r\nzwei\r\ndrei\r".encode("utf-16-le")
    assert (one.destination / "b").read_bytes() == written
    file = one.one()
    assert (file.size, file.delivered_size) == (len(read), len(written))
    assert (file.source_md5, file.delivered_md5) == (md5(read), md5(written))


@pytest.mark.parametrize(
    ("content", "encoding", "reason"),
    [
        (b"x" * 3_000_000 + b"\xff", "UTF-8", "byte 3000000 is no UTF-8 text"),
        ("a\nö".encode(), "ASCII", "line 2: U+00F6 at character 2 does not exist in ASCII"),
    ],
)
def test_222_a_byte_or_character_that_has_no_place_fails_the_item_with_its_own(transfer, content, encoding, reason):
    """Item 222: nothing becomes a question mark, and nothing is tried again."""
    wanted = item("a", "b", options=TEXT, destination_options={"encoding": encoding})
    one = transfer(wanted, files={"a": content})
    assert one.run(retry_count=3) == OVER
    assert (one.one().state, one.one().description) == ("failed", f"BFGTR0072E: {reason}.")
    assert tree(one.destination) == {}


def test_223_without_a_checksum_none_is_recorded(transfer):
    """Items 89, 165 and 223: the file arrives all the same."""
    one = transfer(item("a", "b", options={"checksum": "none"}), files={"a": b"content"})
    one.run()
    file = one.one()
    assert file.state == "successful"
    assert (file.source_md5, file.source_sha256, file.delivered_md5, file.delivered_sha256) == (None,) * 4


def test_224_the_source_goes_once_the_file_is_durable_and_that_is_recorded(transfer):
    """Item 224: the worker knows of the delivery before the source is deleted."""
    one = transfer(item("a", "b", source_options=DELETE), files={"a": b"content"})
    one.before["delivered"] = lambda data: seen.append((data["delivered"], tree(one.source), tree(one.destination)))
    seen = []
    assert one.run() == OVER
    assert seen == [(True, {"a": b"content"}, {"b": b"content"})]
    assert (one.one().state, one.one().description) == ("successful", "")
    assert tree(one.source) == {}


def test_224_a_source_that_has_changed_since_stays_with_a_warning(transfer):
    """Item 224: size, time and inode are those that were read, or the file is another."""
    one = transfer(item("a", "b", source_options=DELETE), files={"a": b"content"})
    one.before["delivered"] = lambda _data: (one.source / "a").write_bytes(b"newer")
    one.run(retry_count=1)
    assert one.one().state == "warning"
    assert one.one().description.startswith("The source was not deleted: a: changed since it was read")
    assert (tree(one.source), tree(one.destination)) == ({"a": b"newer"}, {"b": b"content"})
