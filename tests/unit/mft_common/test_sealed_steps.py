"""Protected files on their way between folders: names, times, sources that change, and constant memory."""

import hashlib
import itertools
import os
import threading
from pathlib import Path

import pytest

from mft_common import hpke
from mft_common.endpoints.errors import BadName, Changed, DiskFull
from mft_common.endpoints.files import FileEndpoint
from mft_common.endpoints.folders import Folder
from mft_common.endpoints.names import Patterns
from mft_common.endpoints.system import System
from mft_common.hpke import Suite
from mft_common.transfer import Mover
from mft_common.transfer.sources.private_target import PrivateTarget
from mft_common.transfer.steps.sealed import (
    Metadata,
    NotAuthentic,
    NotSealed,
    RecipientRefused,
    Seal,
    Unseal,
    read_head,
)

TOKEN = "0000000000000042"
PRIVATE = hpke.generate()
PUBLIC = hpke.public_bytes(Suite.X25519, PRIVATE)
UID = bytes(16)
CONTENT = hashlib.shake_128(b"content").digest(3_000_000)
MEMORY_KB = 64 << 10


def with_our_key(header, wrapped):
    return header.unwrap(PRIVATE, wrapped)


def with_another_key(header, wrapped):
    return header.unwrap(hpke.generate(), wrapped)


def endpoint(path):
    path.mkdir(exist_ok=True)
    return FileEndpoint(Folder(os.open(path, os.O_RDONLY | os.O_DIRECTORY), system=System()), system=System())


def entry_of(path):
    (entry,) = endpoint(path).list(Patterns(["*"]))
    return entry


def protect(source, target, **options):
    """Protect the one file of a folder, as a task does."""
    entry = entry_of(source)
    metadata = Metadata(entry.name, entry.size, entry.modified_at * 1_000_000, 1_700_000_000_000)
    mover = Mover(token=TOKEN, steps=[lambda: Seal(UID, Suite.X25519, PUBLIC, metadata)], **options)
    return mover.move(endpoint(source), entry, endpoint(target), f"{entry.name}.sealed")


def restore(source, target, open_key=with_our_key, **options):
    """Restore the one file of a folder, as a task does: its name is read first, then the same file is moved."""
    entry, folder = entry_of(source), endpoint(source)
    reader = folder.open(entry)
    try:
        head = read_head(reader.read, open_key)
    finally:
        reader.close()
    mover = Mover(
        token=TOKEN, steps=[lambda: Unseal(head.open_again)], modified_at=head.metadata.modified_at, **options
    )  # fmt: skip
    return mover.move(folder, entry, endpoint(target), head.metadata.name)


@pytest.fixture
def folders(tmp_path):
    """A folder with one file of a time of its own."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.bin").write_bytes(CONTENT)
    os.utime(tmp_path / "in" / "a.bin", ns=(0, 981_173_106_789_000_000))
    return tmp_path


def test_90_a_file_comes_back_with_its_name_its_bytes_and_its_time(folders):
    """Both moves tell the digests of what was read and of what was written."""
    sealed = protect(folders / "in", folders / "out")
    back = restore(folders / "out", folders / "back")
    assert (folders / "back" / "a.bin").read_bytes() == CONTENT
    assert (folders / "back" / "a.bin").stat().st_mtime_ns == 981_173_106_789_000_000
    assert sealed.source == back.delivered
    assert sealed.delivered == back.source
    assert sealed.source.sha256 == hashlib.sha256(CONTENT).hexdigest()
    data = (folders / "out" / "a.bin.sealed").read_bytes()
    assert b"a.bin" not in data
    assert CONTENT[:16] not in data


@pytest.mark.parametrize("existing", [True, False])
@pytest.mark.parametrize("damage", [-1, 0, 150_000, 2_000_000, "cut", "key"])
def test_b34_a_failed_restoration_leaves_nothing_and_an_older_file_alone(folders, damage, existing):
    """Wherever the file is damaged or cut, and with a wrong key, the destination is as it was."""
    protect(folders / "in", folders / "out")
    path, target = folders / "out" / "a.bin.sealed", folders / "back"
    endpoint(target)
    if existing:
        (target / "a.bin").write_bytes(b"older")
    data = bytearray(path.read_bytes())
    if damage == "cut":
        del data[-(16 + len(CONTENT) % 65_536) :]
    elif damage != "key":
        data[damage] ^= 1
    path.write_bytes(data)
    with pytest.raises((NotSealed, NotAuthentic)):
        restore(folders / "out", target, with_another_key if damage == "key" else with_our_key)
    assert {one.name: one.read_bytes() for one in target.iterdir()} == ({"a.bin": b"older"} if existing else {})


def test_b34_no_byte_of_a_damaged_chunk_is_released(folders):
    """What leaves the step before the error is authentic content from the file's first byte on."""
    protect(folders / "in", folders / "out")
    data = bytearray((folders / "out" / "a.bin.sealed").read_bytes())
    data[2_000_000] ^= 1
    step, made = Unseal(with_our_key), []

    def run():
        for at in range(0, len(data), 100_000):
            made.extend(step.feed(data[at : at + 100_000]))

    with pytest.raises(NotAuthentic, match="chunk 31"):
        run()
    released = b"".join(made)
    assert 20 * 65_536 <= len(released) <= 30 * 65_536
    assert CONTENT.startswith(released)


def test_a_file_that_takes_the_name_after_its_head_was_read_is_changed(folders):
    """The name and the time of one protected file are never given to the bytes of another."""
    protect(folders / "in", folders / "out")
    path = folders / "out" / "a.bin.sealed"
    with path.open("rb", 0) as file:
        head = read_head(file.read, with_our_key)
        assert file.tell() == head.length
    protect(folders / "in", folders / "out")
    with pytest.raises(Changed):
        list(Unseal(head.open_again).feed(path.read_bytes()))


def test_the_key_of_a_head_is_not_shown(folders):
    """A head that is logged tells no key."""
    protect(folders / "in", folders / "out")
    with (folders / "out" / "a.bin.sealed").open("rb") as file:
        head = read_head(file.read, with_our_key)
    assert len(head.key) == 32
    assert repr(head.key) not in repr(head)
    assert head.key.hex() not in repr(head)


@pytest.mark.parametrize("data", [b"", b"\x89XSEAL\r\n", b"hello", bytes(500), b"\x89XSEAL\r\n\1\1"])
def test_a_file_of_another_kind_has_no_head(data):
    """Short files and those of other programs are told from damaged ones."""
    rest = [data]
    with pytest.raises(NotSealed):
        read_head(lambda _count: rest.pop() if rest else b"", with_our_key)


def test_a_source_that_grows_or_shrinks_while_it_is_protected_is_changed():
    """A file of another size than its metadata tell is never finished."""
    for size in (0, 4, 6, 100_000):
        step = Seal(UID, Suite.X25519, PUBLIC, Metadata("a", 5, None, 0))
        with pytest.raises(Changed):
            list(itertools.chain(step.feed(bytes(size)), step.finish()))


@pytest.mark.parametrize(
    ("error", "public", "metadata"),
    [
        (RecipientRefused, b"short", Metadata("a", 5, 0, 0)),
        (RecipientRefused, bytes(32), Metadata("a", 5, 0, 0)),
        (BadName, PUBLIC, Metadata("a\udcff", 5, 0, 0)),
        (BadName, PUBLIC, Metadata("a/b", 5, 0, 0)),
        (BadName, PUBLIC, Metadata("", 5, 0, 0)),
        (DiskFull, PUBLIC, Metadata("a", 1 << 48, 0, 0)),
    ],
    ids=("short key", "no point", "no UTF-8", "a step", "no name", "too large"),
)
def test_a_file_that_cannot_be_protected_is_refused_before_its_first_byte(error, public, metadata):
    """Recipients, names and sizes that the format has no room for are errors of the step's making."""
    with pytest.raises(error):
        Seal(UID, Suite.X25519, public, metadata)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (None, None),
        (0, 0),
        (-(1 << 63), -(1 << 63)),
        ((1 << 63) - 1, (1 << 63) - 1),
        (1 << 63, None),
        (-(1 << 64), None),
    ],
)
def test_a_time_that_the_format_has_no_room_for_is_left_out(given, kept):
    """A source of the year 3000 can be protected and restored, without its time."""
    step, back = Seal(UID, Suite.X25519, PUBLIC, Metadata("a", 0, given, 0)), Unseal(with_our_key)
    for block in step.finish():
        list(back.feed(block))
    assert back.metadata.mtime_ns == kept
    assert back.metadata.modified_at == (None if kept is None else kept // 1_000_000)


class Peak:
    """Within the block, the growth of the memory that is this process's own, in kB."""

    def __enter__(self):
        self.growth, self._before, self._stop = 0, own_memory(), threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _watch(self):
        while not self._stop.wait(0.01):
            self.growth = max(self.growth, own_memory() - self._before)


def own_memory():
    (line,) = (one for one in Path("/proc/self/status").read_text().splitlines() if one.startswith("RssAnon:"))
    return int(line.split()[1])


def round_trip_in_constant_memory(tmp_path, size):
    """Protect and restore a file of zeros, and compare digests and memory."""
    (tmp_path / "in").mkdir()
    with (tmp_path / "in" / "a.bin").open("wb") as file:
        file.truncate(size)
    with Peak() as peak:
        sealed = protect(tmp_path / "in", tmp_path / "out")
        entry, target = entry_of(tmp_path / "out"), PrivateTarget(tmp_path / "private")
        mover = Mover(token=TOKEN, steps=[lambda: Unseal(with_our_key)])
        back = mover.move(endpoint(tmp_path / "out"), entry, target, "a.bin")
        target.file.close()
    assert sealed.source.size == size
    assert back.delivered == sealed.source
    assert peak.growth < MEMORY_KB


def test_97_192_mib_pass_in_constant_memory(tmp_path):
    """The memory does not grow with a file three times as large as the limit."""
    round_trip_in_constant_memory(tmp_path, 192 << 20)


@pytest.mark.slow
def test_97_4_gib_pass_in_constant_memory(tmp_path):
    """The memory does not grow with a file of 4 GiB and one byte."""
    round_trip_in_constant_memory(tmp_path, (4 << 30) + 1)
