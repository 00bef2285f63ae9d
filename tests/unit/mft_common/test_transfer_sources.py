"""Read-only endpoints that make source files: an archive of files, the members of one, and the private target."""

import hashlib
import io
import os
import random
import tracemalloc
import zipfile

import pytest

from mft_common.endpoints.contract import Entry
from mft_common.endpoints.errors import BadName, Changed, Interrupted, Mismatch, NotFound, Unsupported
from mft_common.endpoints.files import FileEndpoint
from mft_common.endpoints.folders import Folder
from mft_common.endpoints.names import Patterns
from mft_common.transfer import Mover
from mft_common.transfer.sources import MembersSource, PrivateTarget, ZipSource
from mft_common.transfer.steps.text import Text
from mft_common.transfer.steps.unzip import Archive, BadArchive

TOKEN = "0000000000000042"
FILES = {"b.txt": random.Random(5).randbytes(3_000_000), "a.txt": b"first\r\nsecond\r\n", "empty": b""}


@pytest.fixture
def folders(tmp_path):
    """A folder with files, and one to move to."""
    for name in ("from", "to"):
        (tmp_path / name).mkdir()
    for name, content in FILES.items():
        (tmp_path / "from" / name).write_bytes(content)
    return tmp_path


def _endpoint(path):
    return FileEndpoint(Folder(os.open(path, os.O_RDONLY | os.O_DIRECTORY)))


def _packed(folders, *names, steps=lambda _entry: None):
    source = _endpoint(folders / "from")
    entries = list(source.list(Patterns(names or ["*"])))
    return ZipSource(source, entries, "x.zip", steps)


def _descriptors():
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


def _read(source, size=1 << 20):
    reader = source.open(source.entries[0])
    try:
        made = b"".join(iter(lambda: reader.read(size), b""))
        reader.check()
    finally:
        reader.close()
    return made


@pytest.mark.parametrize("size", [1 << 20, 1_000])
def test_several_files_are_read_as_one_archive_with_digest_and_version_of_each(folders, size):
    """Sorted by name; each member tells which version was read, and the digest of its own bytes."""
    source = _packed(folders)
    made = _read(source, size)
    with zipfile.ZipFile(io.BytesIO(made)) as archive:
        assert {info.filename: archive.read(info) for info in archive.infolist()} == FILES
        assert archive.namelist() == sorted(FILES)
    listed = {entry.path: entry for entry in _endpoint(folders / "from").list(Patterns(["*"]))}
    assert [member.entry for member in source.members] == [listed[name] for name in sorted(FILES)]
    for member in source.members:
        content = FILES[member.entry.path]
        assert (member.digest.size, member.digest.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert _read(source, size) == made
    assert len(source.members) == len(FILES)


def test_an_archive_is_moved_with_its_checksum_and_nothing_stays_open(folders):
    """The engine moves it as it does any source file of unknown size."""
    before = _descriptors()
    source, target = _packed(folders), _endpoint(folders / "to")
    moved = Mover(token=TOKEN).move(source, source.entries[0], target, "y.zip")
    assert hashlib.sha256((folders / "to" / "y.zip").read_bytes()).hexdigest() == moved.delivered.sha256
    target.close()
    source._source.close()
    assert _descriptors() <= before


def test_a_member_that_changes_while_it_is_packed_is_packed_again(folders):
    """A try that saw a change is not delivered; the next one has the new content and its version."""
    source = _packed(folders)
    reader = source.open(source.entries[0])
    reader.read(10)
    (folders / "from" / "b.txt").write_bytes(b"other")
    with pytest.raises(Changed):
        b"".join(iter(reader.read, b""))
    reader.close()
    # The version that is opened counts, not the one that was listed.
    _read(source)
    assert {member.entry.path: member.digest.size for member in source.members}["b.txt"] == 5


def test_a_member_that_is_gone_or_may_not_have_its_name_ends_the_archive(folders):
    """No archive lacks a file in silence."""
    source = _packed(folders)
    (folders / "from" / "b.txt").unlink()
    with pytest.raises(NotFound, match=r"b\.txt"):
        _read(source)
    (folders / "from" / "back\\slash").write_bytes(b"x")
    with pytest.raises(BadName):
        _read(_packed(folders))


def test_members_pass_their_own_steps_which_are_closed_whatever_happens(folders):
    """The digest is that of the source, the content that of the steps; a reading that is given up closes both."""
    closed = []

    class Counted(Text):
        def close(self):
            closed.append(self)

    def text():
        return Counted("latin-1", "latin-1", from_ends="lf_or_crlf", to_ends="lf")

    source = _packed(folders, "a.txt", "empty", steps=lambda entry: [text] if entry.path == "a.txt" else None)
    with zipfile.ZipFile(io.BytesIO(_read(source))) as archive:
        assert archive.read("a.txt") == b"first\nsecond\n"
    assert source.members[0].digest.sha256 == hashlib.sha256(FILES["a.txt"]).hexdigest()
    assert len(closed) == 1
    before = _descriptors()
    source = _packed(folders, "b.txt", steps=lambda _entry: [text])
    reader = source.open(source.entries[0])
    reader.read(1)
    reader.close()
    assert len(closed) == 2
    source._source.close()
    assert _descriptors() <= before


def test_an_archive_of_a_large_file_takes_constant_memory(folders):
    """Of 32 MiB that do not compress, a few blocks are in memory."""
    with (folders / "from" / "large").open("wb") as file:
        for _ in range(32):
            file.write(os.urandom(1 << 20))
    source, target = _packed(folders, "large"), _endpoint(folders / "to")
    tracemalloc.start()
    try:
        Mover(token=TOKEN).move(source, source.entries[0], target, "y.zip")
        assert tracemalloc.get_traced_memory()[1] < 24 << 20
    finally:
        tracemalloc.stop()


def _archive(folders, content):
    archive = Archive(folders / "private")
    archive.write(content)
    archive.check()
    return archive


def test_members_of_a_checked_archive_are_source_files(folders):
    """Each with its size; those in folders are listed where that is asked for."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("a.txt", b"a" * 3_000_000)
        made.writestr("sub/b.txt", b"b")
    archive = _archive(folders, file.getvalue())
    source = MembersSource(archive)
    assert [entry.path for entry in source.list(Patterns(["*"]))] == ["a.txt"]
    found = list(source.list(Patterns(["*"]), recursive=True))
    assert [(entry.path, entry.size) for entry in found] == [("a.txt", 3_000_000), ("sub/b.txt", 1)]
    target = _endpoint(folders / "to")
    Mover(token=TOKEN).move(source, found[0], target, "c.txt")
    assert (folders / "to" / "c.txt").read_bytes() == b"a" * 3_000_000
    with pytest.raises(NotFound):
        source.open(Entry("other"))
    archive.close()


def test_sources_take_write_rename_and_delete_nothing(folders):
    """As their features say."""
    source = _packed(folders)
    features = source.features
    assert [features.writing, features.renaming, features.deleting] == [False, False, False]
    entry = source.entries[0]
    for call in (
        lambda: source.writer("x", token=TOKEN), lambda: source.rename("x", "y"),
        lambda: source.delete(entry, token=TOKEN), lambda: source.make_folder("x"), lambda: source.open(entry, 5),
    ):  # fmt: skip
        with pytest.raises(Unsupported):
            call()
    assert source.sweep(TOKEN) == ()
    assert source.stat("x.zip") == entry


def test_a_private_target_holds_one_file_without_a_name(folders):
    """It is there after the commit alone, and nothing of it has a name."""
    target = PrivateTarget(folders / "private")
    source = _endpoint(folders / "from")
    Mover(token=TOKEN).move(source, source.stat("b.txt"), target, "b.txt")
    assert target.file is not None
    target.file.seek(0)
    assert target.file.read() == FILES["b.txt"]
    assert list((folders / "private").iterdir()) == []
    target.file.close()


def test_a_private_target_keeps_nothing_of_a_file_that_failed(folders):
    """A size that differs is a Mismatch, and an abort removes what is there."""
    target = PrivateTarget(folders / "private")
    writer = target.writer("x", token=TOKEN)
    writer.begin()
    writer.feed(b"12345")
    with pytest.raises(Mismatch):
        writer.seal(4, "", "size")
    before = _descriptors()
    writer.abort()
    assert _descriptors() == before - 1
    assert target.file is None

    class Stop:
        def is_set(self):
            return True

        def wait(self, _seconds=None):
            return True

    source = _endpoint(folders / "from")
    with pytest.raises(Interrupted):
        Mover(token=TOKEN, interrupt=Stop()).move(source, source.stat("b.txt"), target, "b.txt")
    assert target.file is None


def test_an_archive_over_a_file_of_the_target_is_checked_as_any_other(folders):
    """A file that is no archive is refused."""
    target, source = PrivateTarget(folders / "private"), _endpoint(folders / "from")
    Mover(token=TOKEN).move(source, source.stat("b.txt"), target, "b.txt")
    archive = Archive(folders / "private", file=target.file)
    with pytest.raises(BadArchive):
        archive.check()
    archive.close()
    assert target.file.closed
