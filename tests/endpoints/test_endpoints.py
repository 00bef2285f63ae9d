"""The duties of every kind of endpoint, over a real server of each, and the truth of its features."""

import hashlib
import json
import random

import pytest

from mft_common import clock
from mft_common.endpoints.contract import BLOCK, Checkpoint, Entry
from mft_common.endpoints.errors import (
    BadName,
    Changed,
    Exists,
    Mismatch,
    NotFound,
    TargetIsFolder,
    TransferError,
    Unsupported,
)
from mft_common.endpoints.names import Patterns, temporary_name

TOKEN = "0000000000000042"
OTHER = "00000000000000FF"
ALL = Patterns(["*"])


@pytest.fixture
def endpoint(far):
    """An open endpoint of the far side."""
    with far.open() as opened:
        yield opened


def content_of(size, seed=1):
    """Return bytes that no error of order or position leaves equal."""
    return random.Random(seed).randbytes(size)


def feed(writer, content):
    """Feed bytes in blocks from a buffer that is overwritten after each call, as the contract allows."""
    for start in range(0, len(content), BLOCK):
        block = bytearray(content[start : start + BLOCK])
        writer.feed(memoryview(block))
        block[:] = bytes(len(block))


def seal_as(writer, size, sha256, verify="sha256"):
    """Seal until the far side is done."""
    while not writer.seal(size, sha256, verify):
        pass


def seal(writer, content):
    """Seal with the size and digest of the content."""
    seal_as(writer, len(content), hashlib.sha256(content).hexdigest())


def write(writer, content):
    """Take a writer through all its steps."""
    writer.begin()
    feed(writer, content)
    seal(writer, content)
    return writer.commit()


def store(endpoint, path, content, **options):
    """Write a whole file."""
    writer = endpoint.writer(path, token=TOKEN, size=len(content), **options)
    assert writer.begin() == 0
    feed(writer, content)
    seal(writer, content)
    return writer.commit()


def read(endpoint, entry, start=0):
    """Read a file to its end and check it."""
    reader = endpoint.open(entry, start)
    found = b""
    while block := reader.read(100_000):
        assert len(block) <= 100_000
        found += block
    assert reader.read(100_000) == b""
    reader.check()
    reader.close()
    return found


def names(endpoint, patterns=ALL, **options):
    """Return the paths of a listing, sorted."""
    return sorted(entry.path for entry in endpoint.list(patterns, **options))


def test_a_listing_gives_the_files_that_match(far, endpoint):
    """Files whose names match are listed with their sizes, folders and other names are not."""
    for path in ("a.csv", "b c.csv", "x.txt", "sub/d.csv"):
        far.write_outside(path, path.encode() * 3)
    if not endpoint.features.listing:
        with pytest.raises(Unsupported):
            list(endpoint.list(ALL))
        return
    found = {entry.path: entry for entry in endpoint.list(Patterns(["*.csv"]))}
    assert sorted(found) == ["a.csv", "b c.csv"]
    assert found["a.csv"].size in (15, None)
    assert (found["a.csv"].modified_at is not None) >= endpoint.features.modified_at
    assert all(entry.version for entry in found.values()) >= far.versions


def test_a_recursive_listing_descends(far, endpoint):
    """Patterns apply to the last step of the paths of all folders below."""
    for path in ("a.csv", "sub/b.csv", "sub/deep/c.csv", "sub/d.txt"):
        far.write_outside(path, b"x")
    if not endpoint.features.recursive:
        with pytest.raises(Unsupported):
            list(endpoint.list(ALL, recursive=True))
        return
    assert names(endpoint, Patterns(["*.csv"]), recursive=True) == ["a.csv", "sub/b.csv", "sub/deep/c.csv"]
    (entry,) = endpoint.list(Patterns(["c.csv"]), recursive=True)
    assert read(endpoint, entry) == b"x"


@pytest.mark.parametrize("name", ["ü ß.bin", "a%20b", "#1?.x", "-n", "a;b&c=d+e", "[x]*"])
def test_names_with_special_characters(far, endpoint, name):
    """A name that means something in URLs, shells or patterns is stored, listed, read and deleted as it is."""
    store(endpoint, name, b"content")
    assert far.read_outside(name) == b"content"
    entry = endpoint.stat(name)
    if endpoint.features.listing:
        (entry,) = endpoint.list(ALL)
    assert entry.path == name
    assert read(endpoint, entry) == b"content"
    if endpoint.features.deleting:
        endpoint.delete(entry, token=TOKEN)
        assert far.names_outside() == []


def test_names_that_are_not_utf_8(far, endpoint):
    """Such a name is listed, read and written byte for byte where the far side can store it, and refused elsewhere."""
    name = "\udcff\udcfe.csv"
    if not far.byte_names:
        with pytest.raises(TransferError):
            store(endpoint, name, b"x")
        return
    far.write_outside("ok.csv", b"1")
    far.write_outside(name, b"2")
    if endpoint.features.listing:
        assert names(endpoint) == sorted(["ok.csv", name])
    assert read(endpoint, endpoint.stat(name)) == b"2"
    store(endpoint, "\udcfd", b"3")
    assert far.read_outside("\udcfd") == b"3"


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/x", "a//b", ".", "..", "a\0b", "", f".x.{TOKEN}.part"])
def test_paths_that_are_refused(far, endpoint, path):
    """No path leads out of the endpoint's folder, and none looks like an unfinished file."""
    with pytest.raises(BadName):
        endpoint.writer(path, token=TOKEN).begin()
    with pytest.raises(BadName):
        endpoint.open(Entry(path))
    assert far.names_outside() == []


def test_what_is_not_there(far, endpoint):
    """Reading, deleting and asking about a file that does not exist are NotFound."""
    far.write_outside("other", b"x")
    with pytest.raises(NotFound):
        endpoint.stat("missing")
    with pytest.raises(NotFound):
        endpoint.open(Entry("missing"))
    if endpoint.features.deleting:
        with pytest.raises(NotFound):
            endpoint.delete(Entry("missing"), token=TOKEN)


@pytest.mark.parametrize("size", [0, 1, BLOCK, 3 * BLOCK + 7])
def test_files_are_read_whole(far, endpoint, size):
    """A file of any size is read to its end, and the reader's entry describes it."""
    content = content_of(size)
    far.write_outside("f", content)
    entry = endpoint.stat("f")
    assert entry.size in (size, None)
    assert read(endpoint, entry) == content


def test_files_are_read_from_a_byte_on(far, endpoint):
    """With `start` the rest of the file comes; an endpoint without this feature says so."""
    content = content_of(2 * BLOCK + 5)
    far.write_outside("f", content)
    entry = endpoint.stat("f")
    if not endpoint.features.resume_read:
        with pytest.raises(Unsupported):
            endpoint.open(entry, 5)
        return
    for start in (1, BLOCK, len(content) - 1, len(content)):
        assert read(endpoint, entry, start) == content[start:]


def test_a_changed_file_is_not_read_on(far, endpoint):
    """With `start` another content than the listed one is Changed where the far side has versions."""
    far.write_outside("f", content_of(1000))
    entry = endpoint.stat("f")
    assert bool(entry.version) >= far.versions
    if not entry.version or not endpoint.features.resume_read:
        return
    far.write_outside("f", content_of(1001, seed=2))
    with pytest.raises(Changed):
        read(endpoint, entry, 500)


@pytest.mark.parametrize("size", [0, 1, BLOCK + 1, 9 * BLOCK])
def test_a_file_is_visible_once_it_is_committed(far, endpoint, size):
    """The final name has no file before the commit, and no other file is left after it."""
    content = content_of(size)
    writer = endpoint.writer("f", token=TOKEN, size=size)
    assert bool(writer.temporary) == endpoint.features.finds_unfinished
    assert writer.begin() == 0
    feed(writer, content)
    assert far.read_outside("f") is None
    seal(writer, content)
    assert far.read_outside("f") is None
    if endpoint.features.visible_at_commit:
        assert far.names_outside() == []
    if endpoint.features.listing:
        assert names(endpoint) == []
    stored = writer.commit()
    assert far.names_outside() == ["f"]
    assert far.read_outside("f") == content
    assert (stored.size, stored.sha256) == (size, hashlib.sha256(content).hexdigest())
    assert stored.replaced in (False, None)
    assert stored.warning == ""


def test_a_file_of_unknown_size_is_written(far, endpoint):
    """A writer takes bytes without being told how many will come."""
    content = content_of(6 * BLOCK + 3)
    writer = endpoint.writer("f", token=TOKEN)
    assert writer.begin() == 0
    feed(writer, content)
    seal(writer, content)
    writer.commit()
    assert far.read_outside("f") == content


def test_an_existing_file_is_replaced_by_the_commit(far, endpoint):
    """Until the commit the former content is there, whole."""
    far.write_outside("f", b"former")
    content = content_of(BLOCK + 1)
    writer = endpoint.writer("f", token=TOKEN, size=len(content))
    writer.begin()
    feed(writer, content)
    seal(writer, content)
    assert far.read_outside("f") == b"former"
    assert writer.commit().replaced in (True, None)
    assert far.read_outside("f") == content
    assert far.names_outside() == ["f"]


def test_fail_leaves_an_existing_file_alone(far, endpoint):
    """With `fail` a file that is there stays, and no unfinished one is left."""
    far.write_outside("f", b"former")
    writer = endpoint.writer("f", token=TOKEN, size=3, if_exists="fail")
    with pytest.raises(Exists):
        write(writer, b"new")
    writer.abort()
    assert far.read_outside("f") == b"former"
    assert far.names_outside() == ["f"]


def test_fail_leaves_a_file_alone_that_came_meanwhile(far, endpoint):
    """With `fail` a file that came after `begin` stays."""
    writer = endpoint.writer("f", token=TOKEN, size=3, if_exists="fail")
    writer.begin()
    writer.feed(b"new")
    seal(writer, b"new")
    far.write_outside("f", b"came meanwhile")
    with pytest.raises(Exists):
        writer.commit()
    writer.abort()
    assert far.read_outside("f") == b"came meanwhile"
    assert far.names_outside() == ["f"]


@pytest.mark.parametrize("wrong", ["size", "sha256"])
def test_other_bytes_than_were_read_are_a_mismatch(far, endpoint, wrong):
    """A size or a digest that is not that of the written bytes is found before the file is visible."""
    content = content_of(1000)
    size = 1001 if wrong == "size" else 1000
    sha256 = hashlib.sha256(b"" if wrong == "sha256" else content).hexdigest()
    writer = endpoint.writer("f", token=TOKEN)
    writer.begin()
    feed(writer, content)
    if wrong == "size" or far.verifies:
        with pytest.raises(Mismatch):
            seal_as(writer, size, sha256)
    else:
        seal_as(writer, size, sha256)
    writer.abort()
    assert far.names_outside() == []


def test_a_digest_is_not_compared_where_size_is_enough(far, endpoint):
    """With `verify: size` the digest of the written bytes is not asked for."""
    writer = endpoint.writer("f", token=TOKEN, size=3)
    writer.begin()
    writer.feed(b"abc")
    seal_as(writer, 3, "", "size")
    writer.commit()
    assert far.read_outside("f") == b"abc"


@pytest.mark.parametrize("step", ["made", "begun", "fed", "sealed"])
def test_an_abort_leaves_nothing(far, endpoint, step):
    """An abort after each step leaves the former file and no other; a second one changes nothing."""
    far.write_outside("f", b"former")
    content = content_of(2 * BLOCK)
    writer = endpoint.writer("f", token=TOKEN, size=len(content))
    if step != "made":
        writer.begin()
    if step in ("fed", "sealed"):
        feed(writer, content)
    if step == "sealed":
        seal(writer, content)
    assert writer.abort() is None
    assert writer.abort() is None
    assert far.read_outside("f") == b"former"
    assert far.names_outside() == ["f"]


def interrupted(far, content, fed):
    """Feed the first `fed` bytes, flush, feed some more and leave the file unfinished; return checkpoint and name."""
    with far.open() as endpoint:
        writer = endpoint.writer("f", token=TOKEN, size=len(content))
        writer.begin()
        feed(writer, content[:fed])
        checkpoint = writer.flush()
        feed(writer, content[fed : fed + 1000])
        writer.abort(keep=True)
        return Checkpoint(checkpoint.position, json.loads(json.dumps(dict(checkpoint.state)))), writer.temporary


def test_a_file_is_resumed_at_its_checkpoint(far, endpoint):
    """A writer of another connection goes on at the flushed byte, and the file is whole."""
    content = content_of(20 * BLOCK)
    assert endpoint.features.resume_write == far.resumes
    if not far.resumes:
        return
    checkpoint, _ = interrupted(far, content, 12 * BLOCK)
    assert BLOCK <= checkpoint.position <= 12 * BLOCK
    writer = endpoint.writer("f", token=TOKEN, size=len(content), resume=checkpoint)
    position = writer.begin()
    assert checkpoint.position <= position <= 12 * BLOCK + 1000
    assert far.read_outside("f") is None
    feed(writer, content[position:])
    seal(writer, content)
    writer.commit()
    assert far.read_outside("f") == content
    assert far.names_outside() == ["f"]


def test_a_file_whose_beginning_is_gone_begins_anew(far, endpoint):
    """A checkpoint whose unfinished file was removed is answered with byte 0."""
    if not far.resumes:
        return
    content = content_of(14 * BLOCK)
    checkpoint, temporary = interrupted(far, content, 12 * BLOCK)
    endpoint.sweep(TOKEN, (temporary,))
    writer = endpoint.writer("f", token=TOKEN, size=len(content), resume=checkpoint)
    assert writer.begin() == 0
    feed(writer, content)
    seal(writer, content)
    writer.commit()
    assert far.read_outside("f") == content


def test_a_second_try_without_a_checkpoint_begins_anew(far, endpoint):
    """The file that an earlier writer of the same token left is in the way of no other try."""
    content = content_of(2 * BLOCK)
    interrupted(far, content, BLOCK)
    store(endpoint, "f", content)
    assert far.read_outside("f") == content


def test_a_sweep_removes_what_a_writer_named(far, endpoint):
    """The names that `begins` was called with are enough; a file of another token with the same name goes on."""
    content, noted, others = content_of(20 * BLOCK), [], []
    other = endpoint.writer("f", token=OTHER, size=len(content))
    other.begin(others.append)
    feed(other, content)
    with far.open() as second:
        writer = second.writer("f", token=TOKEN, size=len(content))
        writer.begin(noted.append)
        feed(writer, content[: 12 * BLOCK])
        checkpoint = writer.flush()
        writer.abort(keep=True)
        assert noted
        assert not {*noted} & {*others} or not endpoint.features.visible_at_commit
        second.sweep(TOKEN, tuple(noted))
        assert second.sweep(TOKEN, tuple(noted)) == ()
        if far.resumes:
            again = second.writer("f", token=TOKEN, size=len(content), resume=checkpoint)
            assert again.begin() == 0
            again.abort()
    seal(other, content)
    other.commit()
    assert far.read_outside("f") == content
    assert far.names_outside() == ["f"]


@pytest.mark.parametrize("named", [True, False])
def test_a_sweep_removes_what_one_token_left(far, endpoint, named):
    """Unfinished files of the token are removed; finished files and those of another token are not."""
    far.write_outside("done", b"x")
    other = endpoint.writer("g", token=OTHER, size=3)
    other.begin()
    other.feed(b"abc")
    _, temporary = interrupted(far, content_of(2 * BLOCK), BLOCK)
    with far.open() as second:
        second.sweep(TOKEN, (temporary,) if named else ())
        assert second.sweep(TOKEN) == ()
    seal(other, b"abc")
    other.commit()
    assert far.names_outside() == ["done", "g"]


@pytest.mark.parametrize("named", [True, False])
def test_a_folder_that_is_named_like_an_unfinished_file_stays(far, endpoint, named):
    """Neither a sweep that finds it nor one that was given its name touches it, fails, or leaves what is ours."""
    if not endpoint.features.folders:
        assert endpoint.sweep(TOKEN, (temporary_name("f", TOKEN),) if named else ()) == ()
        return
    ours = (temporary_name("g", TOKEN), temporary_name("h", TOKEN))
    former = f"..f.{'0' * 16}.part.{TOKEN}.part"
    theirs = (temporary_name("f", TOKEN), former, former.replace("..f.", "..taken."), f"below/{former}")
    empty = (temporary_name("a", TOKEN), former.replace("..f.", "..z."))
    for name in theirs:
        far.write_outside(f"{name}/file", b"theirs")
    for name in empty:
        (far.path / name).mkdir()
    for name in (*ours, "taken"):
        far.write_outside(name, b"x")
    before = sorted(path.relative_to(far.path) for path in far.path.rglob("*"))
    assert endpoint.sweep(TOKEN, (*theirs, *empty, *ours) if named else ()) == ours
    left = sorted(path.relative_to(far.path) for path in far.path.rglob("*"))
    assert left == [path for path in before if str(path) not in ours]
    assert endpoint.sweep(TOKEN, (*theirs, *empty, *ours) if named else ()) == ()


def test_delete_removes_only_what_was_listed(far, endpoint):
    """A file that is another content by now stays where versions tell; one that is the same is removed."""
    far.write_outside("f", b"one")
    far.write_outside("other", b"x")
    entry = endpoint.stat("f")
    if not endpoint.features.deleting:
        with pytest.raises(Unsupported):
            endpoint.delete(entry, token=TOKEN)
        return
    if entry.version:
        far.write_outside("f", b"another")
        with pytest.raises(Changed):
            endpoint.delete(entry, token=TOKEN)
        assert far.read_outside("f") == b"another"
    endpoint.delete(endpoint.stat("f"), token=TOKEN)
    assert far.names_outside() == ["other"]
    with pytest.raises(NotFound):
        endpoint.delete(entry, token=TOKEN)


def test_rename_replaces_nothing(far, endpoint):
    """A file gets a name that is free, and Exists for one that is not."""
    far.write_outside("a", b"a")
    far.write_outside("b", b"b")
    if not endpoint.features.renaming:
        with pytest.raises(Unsupported):
            endpoint.rename("a", "c")
        return
    with pytest.raises(Exists):
        endpoint.rename("a", "b")
    endpoint.rename("a", "c")
    assert (far.read_outside("b"), far.read_outside("c")) == (b"b", b"a")
    assert far.names_outside() == ["b", "c"]
    with pytest.raises(NotFound):
        endpoint.rename("a", "d")


def test_folders_are_made_and_written_into(far, endpoint):
    """A folder is made with those above it, once or twice, and a file is written into it."""
    if not endpoint.features.folders:
        with pytest.raises(Unsupported):
            endpoint.make_folder("a/b")
        return
    endpoint.make_folder("")
    endpoint.make_folder("a/b")
    endpoint.make_folder("a/b")
    store(endpoint, "a/b/f", b"x")
    assert far.names_outside() == ["a/b/f"]
    assert endpoint.stat("a/b").kind == "folder"
    assert endpoint.stat("a/b/f").size == 1
    with pytest.raises(TargetIsFolder):
        store(endpoint, "a/b", b"x")
    with pytest.raises(TransferError):
        store(endpoint, "a/missing/f", b"x")


@pytest.mark.parametrize(
    "at", [clock.FIRST_MS, -1000, -1, 0, (1000 << 32) - 1, 1000 << 32, clock.LAST_MS], ids=clock.iso
)
def test_a_file_of_any_year_is_delivered(far, endpoint, at):
    """Where the far side has no room for the time, the file has another one."""
    store(endpoint, "f", b"x", modified_at=at)
    assert far.read_outside("f") == b"x"


def test_the_time_of_the_last_change_is_kept(far, endpoint):
    """A writer stores the time that it is given, where the endpoint says so."""
    store(endpoint, "f", b"x", modified_at=1_600_000_123_000)
    if endpoint.features.keeps_modified_at:
        assert endpoint.stat("f").modified_at == 1_600_000_123_000


def test_two_endpoints_do_not_disturb_each_other(far, endpoint):
    """Two connections write at once, each its own file."""
    with far.open() as second:
        first_writer = endpoint.writer("a", token=TOKEN, size=3)
        second_writer = second.writer("b", token=OTHER, size=3)
        for writer in (first_writer, second_writer):
            writer.begin()
        for writer in (first_writer, second_writer):
            writer.feed(b"abc")
            seal(writer, b"abc")
        for writer in (first_writer, second_writer):
            writer.commit()
        second.close()
    assert far.names_outside() == ["a", "b"]
