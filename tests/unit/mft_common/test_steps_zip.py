"""Zip archives written while they pass, and archives of partners that are refused (E35)."""

import collections
import contextlib
import io
import random
import stat
import struct
import tracemalloc
import zipfile
import zlib

import pytest

from mft_common.endpoints.errors import BadName, Changed
from mft_common.transfer.steps import zips
from mft_common.transfer.steps.unzip import Archive, BadArchive, Limits, Unzip
from mft_common.transfer.steps.zips import Member, Zip, zipped


def member(name, data, modified_at=1_700_000_000_000):
    return Member(name, lambda: [data], modified_at, len(data))


def packed(*members):
    return b"".join(zipped(members))


def made(*names, links=(), data=b"x"):
    """Return an archive of another program with members of these names."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            if name in links:
                info.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, data)
    return file.getvalue()


@pytest.fixture
def unpack(tmp_path):
    """Return the members of an archive by name, from blocks of 1000 bytes; the private folder is empty afterwards."""

    def run(data, limits=None):
        archive = Archive(tmp_path / "private", limits)
        try:
            for start in range(0, len(data), 1000):
                archive.write(data[start : start + 1000])
            archive.check()
            return {found.name: b"".join(archive.blocks(found)) for found in archive.members}
        finally:
            archive.close()
            assert not list((tmp_path / "private").iterdir())

    return run


def test_members_are_in_the_order_of_their_names_and_equal_members_give_equal_bytes():
    """The archive depends on names, bytes and times, not on the order in which files were found."""
    one, two, three = member("b/ä.txt", b"one" * 1000), member("a.txt", b"two"), member("ab.bin", b"")
    data = packed(one, two, three)
    assert data == packed(three, one, two)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.namelist() == ["a.txt", "ab.bin", "b/ä.txt"]
        assert archive.read("b/ä.txt") == b"one" * 1000
        assert archive.testzip() is None
        assert archive.infolist()[0].date_time == (2023, 11, 14, 22, 13, 20)
        assert archive.getinfo("b/ä.txt").flag_bits & 0x800


def test_a_member_of_unknown_size_is_written_with_zip64():
    """The local header of a member whose size nobody knows has room for 64-bit sizes."""
    data = b"".join(zipped([Member("a", lambda: [b"x"])]))
    assert data[4:6] == b"\x2d\x00"
    assert zipfile.ZipFile(io.BytesIO(data)).read("a") == b"x"


def test_an_archive_is_written_in_constant_memory():
    """48 MiB that do not compress pass through a few MiB of memory."""
    block = random.Random(1).randbytes(1 << 20)
    tracemalloc.start()
    size = sum(map(len, zipped([Member("a", lambda: (block for _ in range(48)))])))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size > 48 << 20
    assert peak < 12 << 20


@pytest.mark.parametrize("name", ["../a", "/a", "a/../../b", "a//b", "", "a\\b", "C:x", "a\0b", "x\udcff", "."])
def test_names_that_lead_out_are_not_written(name):
    """A name that ours would refuse is never written, and nothing comes before the error."""
    with pytest.raises(BadName):
        next(zipped([member("ok", b"1"), member(name, b"2")]))
    with pytest.raises(BadName):
        Zip(name)


def test_a_name_twice_is_not_written():
    """Two files of one name would be one after unpacking."""
    with pytest.raises(BadName, match="twice"):
        packed(member("a", b"1"), member("a", b"2"))


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_the_steps_for_one_file_go_there_and_back(tmp_path, size):
    """Zip and Unzip are each other's inverse."""
    data = random.Random(size).randbytes(5000) + b"z" * 5000
    for_zip, for_unzip = Zip("a.txt", 1_700_000_000_000), Unzip(tmp_path / "private")
    archive = b"".join(
        [part for start in range(0, len(data), size) for part in for_zip.feed(data[start : start + size])]
        + list(for_zip.finish())
    )
    for start in range(0, len(archive), size):
        assert list(for_unzip.feed(archive[start : start + size])) == []
    assert b"".join(for_unzip.finish()) == data
    for_zip.close()
    for_unzip.close()


def test_a_step_for_one_file_refuses_an_archive_of_two(tmp_path):
    """Two files cannot become one."""
    step = Unzip(tmp_path)
    step.feed(made("a", "b"))
    with pytest.raises(BadArchive, match="holds 2 files"):
        list(step.finish())
    step.close()


@pytest.mark.parametrize(
    "bad", ["../evil", "a/../../evil", "/etc/evil", "C:\\evil", "a\\..\\evil", "..", "a/./b", "e\x01vil", "//evil"]
)
def test_one_name_that_leads_out_refuses_the_whole_archive(unpack, bad):
    """The good members of such an archive are not released either."""
    with pytest.raises(BadArchive, match="whole archive is refused"):
        unpack(made("good.txt", bad, "other.txt"))


@pytest.mark.parametrize("bad", ["../out", "/etc/out", "a\\b", ""])
def test_a_name_of_an_extra_field_that_leads_out_refuses_the_whole_archive(unpack, monkeypatch, bad):
    """Python 3.12 and later read a second name of each member (0x7075), by which it is delivered."""
    if bad:
        with pytest.raises(BadArchive, match="whole archive is refused"):
            unpack(two_names(monkeypatch, bad))
    else:
        assert unpack(two_names(monkeypatch, "better")) == {"better": b"x"}


def two_names(monkeypatch, second):
    """Return an archive of a member `first`, which has a second name; let zipfile read that, whatever its version."""

    def decode(info, *_):
        info.filename = second if info.extra else info.filename

    monkeypatch.setattr(zipfile.ZipInfo, "_decodeExtra", decode)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        info = zipfile.ZipInfo("first")
        name = second.encode()
        info.extra = struct.pack("<HHBL", 0x7075, 5 + len(name), 1, zlib.crc32(b"first")) + name
        archive.writestr(info, b"x")
    return file.getvalue()


def test_a_link_refuses_the_whole_archive(unpack):
    """A symbolic link could lead the next member out of the folder."""
    with pytest.raises(BadArchive, match="is a link or a special file"):
        unpack(made("good.txt", "link", "link2/file", links=("link",)))


def test_names_twice_and_files_below_files_are_refused(unpack):
    """The order of unpacking must not decide which bytes a name has."""
    with pytest.warns(UserWarning, match="Duplicate name"):
        twice = made("a", "a")
    with pytest.raises(BadArchive, match="occurs twice"):
        unpack(twice)
    with pytest.raises(BadArchive, match="lies below"):
        unpack(made("a", "a/b"))


@pytest.mark.parametrize(
    ("one", "other"), [("a.txt", "A.TXT"), ("d/é", "d/e\u0301"), ("straße", "STRASSE"), ("d/", "D")]
)
def test_names_that_differ_in_case_alone_are_refused(unpack, one, other):
    """On a file system that ignores case the second file would replace the first one."""
    with pytest.raises(BadArchive, match="case or composition alone"):
        unpack(made(one, other, data=b""))


def test_a_file_below_a_file_in_another_case_is_refused(unpack):
    """`A` and `a/b` cannot both be there on a file system that ignores case; folders in two cases can."""
    with pytest.raises(BadArchive, match="lies below"):
        unpack(made("A", "a/b"))
    assert set(unpack(made("A/b", "a/c"))) == {"A/b", "a/c"}


@pytest.mark.parametrize("size", [10, 1 << 30])
def test_a_file_that_outgrows_its_listed_size_by_gigabytes_has_changed(monkeypatch, size):
    """A member that was begun without ZIP64 takes no more bytes than its header can tell."""
    monkeypatch.setattr(zips, "MOST_WITHOUT_ZIP64", 4000)
    step = Zip("a", size=size)
    list(step.feed(bytes(4000)))
    with pytest.raises(Changed, match="has grown"):
        list(step.feed(b"1"))
    step.close()


@pytest.mark.slow
def test_two_gigabytes_pass_a_file_that_was_listed_as_small():
    """The limit lies below the one at which the zip module fails."""
    step, block = Zip("a", size=1), bytes(1 << 20)
    with pytest.raises(Changed, match="has grown"):
        collections.deque((part for _ in range(2049) for part in step.feed(block)), maxlen=0)
    step.close()


def test_limits_on_bytes_members_and_ratio_are_kept(unpack):
    """A small archive cannot fill a disk."""
    with pytest.raises(BadArchive, match="3 members; 2 are allowed"):
        unpack(made("a", "b", "c"), Limits(members=2))
    with pytest.raises(BadArchive, match="2000 bytes; 1999 are allowed"):
        unpack(made("a", "b", data=b"y" * 1000), Limits(size=1999))
    with pytest.raises(BadArchive, match="more than 200 times"):
        unpack(made("a", data=bytes(4 << 20)))
    assert unpack(made("a", data=bytes(4 << 20)), Limits(ratio=1100)) == {"a": bytes(4 << 20)}


def test_an_archive_that_lies_about_a_size_is_refused(unpack):
    """The size in the directory is what limits are computed with, so it must be true."""
    data = bytearray(made("a", data=b"y" * 1000))
    at = data.rfind((1000).to_bytes(4, "little"))
    data[at : at + 4] = (10).to_bytes(4, "little")
    with pytest.raises(BadArchive):
        unpack(bytes(data))


def test_an_archive_with_a_directory_too_large_for_memory_is_refused(unpack):
    """The directory's declared size is refused before it is read."""
    data = bytearray(made("a"))
    at = data.rfind(b"PK\x05\x06")
    data[at + 12 : at + 16] = (1 << 30).to_bytes(4, "little")
    with pytest.raises(BadArchive, match="directory is too large"):
        unpack(bytes(data))


def with_zip64(count, directory):
    """Return an archive whose ZIP64 record before the locator is fine, while its locator names one that is not."""
    data = made("a")
    at = data.rfind(b"PK\x05\x06")
    size, start = struct.unpack("<II", data[at + 12 : at + 20])
    named = struct.pack("<IQHHIIQQQQ", 0x06064B50, 100, 45, 45, 0, 0, count, count, directory, start)
    fine = struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, 1, 1, size, start)
    return data[:at] + named + fine + struct.pack("<IIQI", 0x07064B50, 0, at, 1) + data[at:]


def test_neither_zip64_record_may_name_a_directory_too_large_for_memory(unpack):
    """Python's versions differ in the record that they read: the one before the locator, or that which it names."""
    with pytest.raises(BadArchive, match="directory is too large"):
        unpack(with_zip64(1, 1 << 40))
    with pytest.raises(BadArchive, match="20000 members; 10000 are allowed"):
        unpack(with_zip64(20_000, 46))


@pytest.mark.parametrize("offset", [1 << 31, (1 << 64) - 1])
def test_a_member_that_begins_outside_the_archive_is_refused_as_an_archive(unpack, offset):
    """Such an offset is no error of the operating system, and none of arithmetic."""
    data = bytearray(made("a"))
    at = data.rfind(b"PK\x01\x02")
    if offset < 1 << 32:
        data[at + 42 : at + 46] = offset.to_bytes(4, "little")
    else:
        # The offset follows in an extra field of ZIP64.
        data[at + 42 : at + 46] = b"\xff" * 4
        extra = struct.pack("<HHQ", 1, 8, offset)
        data[at + 30 : at + 32] = len(extra).to_bytes(2, "little")
        end = data.rfind(b"PK\x05\x06")
        data[end + 12 : end + 16] = (end - at + len(extra)).to_bytes(4, "little")
        data[at + 47 : at + 47] = extra
    with pytest.raises(BadArchive, match=r"^a: is damaged in the archive$"):
        unpack(bytes(data))


def test_every_change_of_the_directory_is_an_archive_or_a_bad_one(unpack):
    """2,000 changes of up to eight bytes raise nothing but BadArchive."""
    rng, whole = random.Random(11), made("a.txt", "d/\u00e9.txt")
    directory = whole.index(b"PK\x01\x02")
    for _ in range(2000):
        data = bytearray(whole)
        at = rng.randrange(directory, len(data))
        size = rng.choice((1, 2, 4, 8))
        data[at : at + size] = rng.choice((b"\x00" * size, b"\xff" * size, rng.randbytes(size)))[: len(data) - at]
        with contextlib.suppress(BadArchive):
            unpack(bytes(data), Limits(size=1 << 20))


def test_folders_are_passed_over_and_files_below_them_stay(unpack):
    """An entry for a folder is no file."""
    assert unpack(made("a/b.txt")) == {"a/b.txt": b"x"}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.mkdir("a")
        archive.writestr("a/b", b"1")
    assert unpack(file.getvalue()) == {"a/b": b"1"}


def test_damaged_and_cut_archives_release_nothing(unpack):
    """Each of 100 flipped bytes and 40 cuts is found, or changed nothing that matters."""
    content = random.Random(7).randbytes(3000)
    whole, rng = made("a.bin", "b.bin", data=content), random.Random(8)
    for _ in range(100):
        data = bytearray(whole)
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        try:
            found = unpack(bytes(data))
        except BadArchive:
            continue
        assert list(found.values()) == [content, content]
    for _ in range(40):
        with pytest.raises(BadArchive):
            unpack(whole[: rng.randrange(len(whole))])


def test_bytes_that_are_no_archive_are_refused(unpack):
    """An empty file and a text are no archives."""
    for data in (b"", b"hello", b"PK\x05\x06"):
        with pytest.raises(BadArchive):
            unpack(data)
