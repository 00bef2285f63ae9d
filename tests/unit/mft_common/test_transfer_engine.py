"""The engine over real folders, with system calls that fail on demand."""

import errno
import hashlib
import os
import stat
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mft_common.endpoints.contract import Entry
from mft_common.endpoints.errors import (
    Changed,
    Denied,
    DiskFull,
    Exists,
    Interrupted,
    Mismatch,
    NotFound,
    TargetIsFolder,
    TransferError,
    Transient,
    of_os_error,
)
from mft_common.endpoints.files import FileEndpoint
from mft_common.endpoints.folders import Folder
from mft_common.endpoints.names import Patterns, is_temporary
from mft_common.endpoints.system import System
from mft_common.transfer import Mover

TOKEN = "0000000000000042"
CONTENT = bytes(range(256)) * 9000
MADE_TO_FAIL = OSError(errno.EIO, "made to fail")


class Failing(System):
    """The real system, whose call number `at` fails with EIO, after its work was done or before."""

    def __init__(self, at, *, after, error=MADE_TO_FAIL):
        self.at, self.after, self.calls, self.failed, self.error = at, after, 0, "", error

    def __getattribute__(self, name):
        method = object.__getattribute__(self, name)
        if name.startswith("_") or not callable(method):
            return method

        def call(*arguments):
            self.calls += 1
            if self.calls != self.at:
                return method(*arguments)
            self.failed = name
            if self.after and name in ("create", "write", "rename", "link", "sync"):
                method(*arguments)
            raise self.error

        return call


@pytest.fixture
def folders(tmp_path):
    """A folder to move from, with one file, and a folder to move to."""
    (tmp_path / "from").mkdir()
    (tmp_path / "to").mkdir()
    (tmp_path / "from" / "a.txt").write_bytes(CONTENT)
    return tmp_path


def _names(path):
    return sorted(one.name for one in path.iterdir())


def _endpoint(path, system=None):
    system = system or System()
    return FileEndpoint(Folder(os.open(path, os.O_RDONLY | os.O_DIRECTORY), system=system), system=system)


def _entry_of(path, name="a.txt"):
    (entry,) = _endpoint(path).list(Patterns([name]))
    return entry


def _move(folders, system=None, **options):
    mover = Mover(token=TOKEN, **options)
    return mover.move(
        _endpoint(folders / "from"), _entry_of(folders / "from"), _endpoint(folders / "to", system), "b.txt"
    )


def test_a_file_arrives_whole_with_its_checksum(folders):
    """The delivered file has the source's bytes, and no other file is left in the folder."""
    moved = _move(folders)
    assert (folders / "to" / "b.txt").read_bytes() == CONTENT
    assert _names(folders / "to") == ["b.txt"]
    assert moved.source == moved.delivered
    assert (moved.source.size, moved.source.sha256) == (len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
    assert (moved.retries, moved.replaced) == (0, False)
    assert stat.S_IMODE((folders / "to" / "b.txt").stat().st_mode) & 0o600 == 0o600


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1])
def test_sizes_around_a_block_arrive(folders, size):
    """Empty files and files around the size of a block arrive whole."""
    (folders / "from" / "a.txt").write_bytes(b"x" * size)
    assert _move(folders).delivered.size == size
    assert (folders / "to" / "b.txt").stat().st_size == size


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("if_exists", ["replace", "fail"])
def test_whichever_call_fails_the_name_shows_old_or_new_and_nothing_between(folders, if_exists, after):
    """For every N: the Nth call to the system fails, and the name holds the old content, the new one, or nothing."""
    target = folders / "to" / "b.txt"
    for at in range(1, 200):
        for path in (folders / "to").iterdir():
            path.unlink()
        if if_exists == "replace":
            target.write_bytes(b"old")
        system = Failing(at, after=after)
        try:
            _move(folders, system, if_exists=if_exists)
            failed = False
        except TransferError:
            failed = True
        if not system.failed:
            assert at > 10
            assert not failed
            break
        if target.exists():
            assert target.read_bytes() in (b"old", CONTENT)
        if failed and if_exists == "fail":
            assert not target.exists(), (at, system.failed)
        if not failed:
            assert target.read_bytes() == CONTENT
        _endpoint(folders / "to").sweep(TOKEN)
        assert not any(is_temporary(name) for name in _names(folders / "to"))


def test_a_call_that_fails_once_is_healed_by_another_try(folders):
    """An error that may heal is retried, and the retries are counted."""
    told = []
    moved = _move(folders, Failing(5, after=False), retries=2, delay=0.0, retrying=told.append)
    assert (moved.retries, told) == (1, [1])
    assert (folders / "to" / "b.txt").read_bytes() == CONTENT


def test_an_error_that_stays_is_not_tried_again(folders):
    """A target that is a folder, and a source that is gone, are tried once."""
    (folders / "to" / "b.txt").mkdir()
    with pytest.raises(TargetIsFolder) as caught:
        _move(folders, retries=5, delay=0.0)
    assert caught.value.tries == 1
    entry = _entry_of(folders / "from")
    (folders / "from" / "a.txt").unlink()
    with pytest.raises(NotFound):
        Mover(token=TOKEN).move(_endpoint(folders / "from"), entry, _endpoint(folders / "to"), "c.txt")


def test_fail_never_replaces(folders):
    """With `fail` an existing file stays, also one that was made while the bytes were moving."""
    (folders / "to" / "b.txt").write_bytes(b"old")
    with pytest.raises(Exists):
        _move(folders, if_exists="fail")
    (folders / "to" / "b.txt").unlink()
    with pytest.raises(Exists):
        _move(folders, if_exists="fail", guard=lambda: (folders / "to" / "b.txt").write_bytes(b"late") and None)
    assert (folders / "to" / "b.txt").read_bytes() == b"late"
    assert _names(folders / "to") == ["b.txt"]


def test_a_stop_leaves_nothing(folders):
    """A stop in mid-file, before the first byte and before the rename each leave the folder as it was."""
    stop = threading.Event()

    class Stopping(System):
        def write(self, descriptor, block):
            stop.set()
            return super().write(descriptor, block)

    with pytest.raises(Interrupted):
        _move(folders, Stopping(), interrupt=stop)
    with pytest.raises(Interrupted):
        _move(folders, interrupt=stop)
    assert _names(folders / "to") == []


def test_a_guard_that_raises_keeps_the_file_from_becoming_visible(folders):
    """A guard that raises leaves no file under the final name."""

    class LostError(Exception):
        pass

    def guard():
        raise LostError

    with pytest.raises(LostError):
        _move(folders, guard=guard)
    assert _names(folders / "to") == []


@pytest.mark.parametrize("change", [b"y" * 10, CONTENT[:-1], CONTENT + b"more", b"z" * len(CONTENT)])
def test_a_source_that_changes_while_it_is_read_is_not_delivered(folders, change):
    """Growing, shrinking and rewriting in mid-read each end as Changed; read again, the new content arrives."""
    once = [True]

    class Changing(System):
        def write(self, descriptor, block):
            if once:
                once.clear()
                with (folders / "from" / "a.txt").open("wb") as file:
                    file.write(change)
            return super().write(descriptor, block)

    with pytest.raises(Changed):
        _move(folders, Changing())
    assert _names(folders / "to") == []
    once.append(True)
    (folders / "from" / "a.txt").write_bytes(CONTENT)
    assert _move(folders, Changing(), retries=1, delay=0.0).retries == 1
    assert (folders / "to" / "b.txt").read_bytes() == change


def test_a_file_that_reads_back_otherwise_is_refused(folders):
    """A write that lies is found by reading the file back."""

    class Lying(System):
        def write(self, descriptor, block):
            return super().write(descriptor, bytes(len(block)))

    with pytest.raises(TransferError, match="checksum"):
        _move(folders, Lying())
    assert _names(folders / "to") == []


@pytest.mark.parametrize("at", [0, 9 << 20, (12 << 20) - 1])
@pytest.mark.parametrize("cut", [False, True])
def test_a_large_file_that_reads_back_otherwise_is_refused(folders, at, cut):
    """A byte that was written wrongly, and a block that is not there, are found wherever they are."""
    (folders / "from" / "a.txt").write_bytes(bytes(12 << 20))

    class Lying(System):
        def write(self, descriptor, block):
            start = os.lseek(descriptor, 0, os.SEEK_CUR)
            count = super().write(descriptor, block)
            if start <= at < start + count:
                if cut:
                    os.ftruncate(descriptor, at)
                else:
                    os.pwrite(descriptor, b"x", at)
            return count

    with pytest.raises(Mismatch):
        _move(folders, Lying())
    assert _names(folders / "to") == []
    if not cut:
        assert _move(folders, Lying(), verify="size").delivered.size == 12 << 20


def test_what_an_earlier_try_wrote_is_digested_from_its_pages(folders):
    """A resumed file whose first bytes were changed since is refused, and copied anew by the next try."""
    content = os.urandom(24 << 20)
    (folders / "from" / "a.txt").write_bytes(content)
    saved = []

    class Failing(System):
        def write(self, descriptor, block):
            if os.lseek(descriptor, 0, os.SEEK_CUR) >= 16 << 20:
                raise MADE_TO_FAIL
            return super().write(descriptor, block)

    with pytest.raises(Transient):
        _move(folders, Failing(), keep=True, checkpointed=saved.append, checkpoint_every=0.0)
    (unfinished,) = (folders / "to").iterdir()
    with unfinished.open("r+b") as file:
        file.write(b"other")
    mover = Mover(token=TOKEN, retries=1, delay=0.0)
    ends = _endpoint(folders / "from"), _entry_of(folders / "from"), _endpoint(folders / "to"), "b.txt"
    moved = mover.move(*ends, saved[-1])
    assert (moved.retries, moved.resumed) == (1, 0)
    assert (folders / "to" / "b.txt").read_bytes() == content


def test_a_full_disk_is_final(folders):
    """A full disk is reported as DiskFull and not retried."""

    class Full(System):
        def write(self, descriptor, block):
            raise OSError(errno.ENOSPC, "full")

    with pytest.raises(DiskFull) as caught:
        _move(folders, Full(), retries=3, delay=0.0)
    assert (caught.value.tries, caught.value.leftover) == (1, False)


def test_a_leftover_that_cannot_be_removed_is_told(folders):
    """An error reports a partial upload that could not be removed; a later sweep removes it."""

    class Stuck(System):
        def sync(self, descriptor):
            raise OSError(errno.EIO, "broken")

        def remove(self, name, folder):
            if is_temporary(name) and name in super().names(folder):
                raise OSError(errno.EIO, "broken")
            super().remove(name, folder)

    with pytest.raises(Transient) as caught:
        _move(folders, Stuck())
    assert caught.value.leftover
    assert len(_endpoint(folders / "to").sweep(TOKEN)) == 1
    assert _names(folders / "to") == []


@pytest.mark.parametrize("named", [True, False])
def test_a_folder_with_the_name_of_an_unfinished_file_holds_up_no_sweep(folders, named):
    """The sweep leaves such a folder alone, and removes the unfinished files beside and behind it."""
    left = [f"m/.b.{TOKEN}.part", f"z/.b.{TOKEN}.part"]
    odd = [f".a.{TOKEN}.part", f"m/.a.{TOKEN}.part"]
    for path in [*odd, "m", "z"]:
        (folders / "to" / path).mkdir(parents=True, exist_ok=True)
    for path in left:
        (folders / "to" / path).touch()
    swept = _endpoint(folders / "to").sweep(TOKEN, (*odd, *left) if named else ())
    assert swept == tuple(left)
    assert all((folders / "to" / path).is_dir() for path in odd)


def test_only_regular_files_are_listed_and_opened(folders):
    """Links, pipes and folders are skipped, and a link that took a file's place is not followed."""
    (folders / "from" / "link").symlink_to(folders / "from" / "a.txt")
    os.mkfifo(folders / "from" / "pipe")
    (folders / "from" / "folder").mkdir()
    skipped = []
    listed = list(_endpoint(folders / "from").list(Patterns(["*"]), skipped=lambda name, _: skipped.append(name)))
    assert [entry.name for entry in listed] == ["a.txt"]
    assert skipped == ["link", "pipe"]
    for name in ("link", "pipe"):
        with pytest.raises(Denied):
            _endpoint(folders / "from").open(Entry(name)).close()


def test_delete_removes_only_what_was_read(folders):
    """A file that changed since it was read is not deleted."""
    entry = _entry_of(folders / "from")
    (folders / "from" / "a.txt").write_bytes(b"new")
    with pytest.raises(Changed):
        _endpoint(folders / "from").delete(entry, token=TOKEN)
    _endpoint(folders / "from").delete(_entry_of(folders / "from"), token=TOKEN)
    assert _names(folders / "from") == []


def test_progress_grows_and_ends_at_the_size(folders):
    """Progress is reported in growing numbers of bytes, at last with the size of the file."""
    told = []
    _move(folders, progress=told.append, progress_every=0.0)
    assert told == sorted(told)
    assert told[-1] == len(CONTENT)


def test_no_error_names_a_place_of_this_machine(folders):
    """Messages name the file, never its folder's path."""
    error = of_os_error(FileNotFoundError(errno.ENOENT, "x", str(folders)), "a.txt")
    assert str(error) == "a.txt: does not exist"


# A busy disk makes an fsync slow: no deadline.
@given(st.binary(min_size=1, max_size=200).filter(lambda raw: b"/" not in raw and b"\0" not in raw))
def test_any_name_that_a_folder_holds_is_moved_as_it_is(tmp_path_factory, raw):
    """Names that are not UTF-8, with line ends or wildcards, are delivered byte for byte."""
    name = os.fsdecode(raw)
    if name in (".", "..") or is_temporary(name):
        return
    base = tmp_path_factory.mktemp("names")
    (base / "from").mkdir()
    (base / "to").mkdir()
    (base / "from" / name).write_bytes(b"x")
    (entry,) = _endpoint(base / "from").list(Patterns(["*"]))
    Mover(token=TOKEN).move(_endpoint(base / "from"), entry, _endpoint(base / "to"), entry.name)
    assert _names(base / "to") == [name]


def test_no_reason_is_blank_b33(folders):
    """For every N: a system error without number and text at the Nth call ends in a message that names something."""
    for at in range(1, 200):
        system = Failing(at, after=False, error=OSError())
        if not _fails_with_a_reason(folders, system):
            break
    assert at > 10


def _fails_with_a_reason(folders, system):
    """Move with a system that fails; return whether it failed, after a look at the message."""
    texts = []
    try:
        _move(folders, system)
    except TransferError as error:
        texts.append(str(error))
    assert all(text.rstrip(" .").rpartition(":")[2].strip() for text in texts), system.failed
    return bool(system.failed)


def test_steps_change_the_bytes_and_give_two_digests(folders):
    """The bytes read and the bytes delivered have digests of their own, with MD5 where it is asked for."""
    closed = []

    class Doubled:
        def feed(self, block):
            return (block, block)

        def finish(self):
            return (b"the end",)

        def close(self):
            closed.append(True)

    moved = _move(folders, steps=(Doubled, Doubled), md5=True)
    content = (folders / "to" / "b.txt").read_bytes()
    assert len(content) == 4 * len(CONTENT) + 3 * len(b"the end")
    for digest, expected in ((moved.source, CONTENT), (moved.delivered, content)):
        assert digest.size == len(expected)
        assert digest.sha256 == hashlib.sha256(expected).hexdigest()
        assert digest.md5 == hashlib.md5(expected).hexdigest()
    assert closed == [True, True]


def test_a_step_that_refuses_delivers_nothing(folders):
    """An error of a step's end leaves nothing under any name, and the steps are closed."""
    closed = []

    class Refusing:
        def feed(self, block):
            return (block,)

        def finish(self):
            raise Denied("not acceptable as a whole")

        def close(self):
            closed.append(True)

    with pytest.raises(Denied):
        _move(folders, steps=(Refusing,))
    assert (closed, _names(folders / "to")) == ([True], [])


@pytest.mark.parametrize("error", [Denied, RuntimeError])
def test_a_step_that_cannot_be_made_closes_those_before_it(folders, error):
    """The first step of a try may hold a process: it is ended where the constructor of the second one raises."""
    closed = []

    class Passing:
        def close(self):
            closed.append(True)

    def failing():
        raise error("no such key")

    with pytest.raises(error):
        _move(folders, steps=(Passing, failing))
    assert (closed, _names(folders / "to")) == ([True], [])


@pytest.mark.parametrize("error", [KeyboardInterrupt, Transient])
def test_an_unfinished_file_is_kept_where_that_is_asked_for(folders, error):
    """With `keep` the unfinished file stays after an interrupt or an error that may heal, and is gone on with."""
    content = os.urandom(12 << 20)
    (folders / "from" / "a.txt").write_bytes(content)
    saved, written = [], []

    class Ending(System):
        def write(self, descriptor, block):
            if sum(written) >= 8 << 20:
                raise error
            written.append(super().write(descriptor, block))
            return written[-1]

    keeping = {"keep": True, "checkpointed": saved.append, "checkpoint_every": 0.0}
    with pytest.raises(error):
        _move(folders, Ending(), **keeping)
    assert [is_temporary(name, TOKEN) for name in _names(folders / "to")] == [True]
    mover = Mover(token=TOKEN)
    moved = mover.move(
        _endpoint(folders / "from"), _entry_of(folders / "from"), _endpoint(folders / "to"), "b.txt", saved[-1]
    )
    assert moved.resumed >= 6 << 20
    assert (folders / "to" / "b.txt").read_bytes() == content
    assert _names(folders / "to") == ["b.txt"]


def test_a_source_that_does_not_answer_holds_up_no_stop(folders):
    """A stop ends the move while a read is under way that does not end."""
    (folders / "from" / "a.txt").write_bytes(bytes(8 << 20))
    stop, answer = threading.Event(), threading.Event()

    class Hanging(System):
        def read(self, descriptor, size):
            stop.set()
            answer.wait(20)
            return super().read(descriptor, size)

    source = _endpoint(folders / "from", Hanging())
    with pytest.raises(Interrupted):
        Mover(token=TOKEN, interrupt=stop).move(source, _entry_of(folders / "from"), _endpoint(folders / "to"), "b.txt")
    assert _names(folders / "to") == []
    answer.set()


def test_a_read_that_gets_no_answer_is_over_before_another_try_begins(folders):
    """One thread at a time uses the source: a retry, and the end of the move, wait for the read that is under way."""
    (folders / "from" / "a.txt").write_bytes(bytes(12 << 20))
    reading, most, broken = [0], [0], [True]
    hangs, answer = threading.Event(), threading.Event()

    class Hanging(System):
        def read(self, descriptor, size):
            reading[0] += 1
            most[0] = max(most[0], reading[0])
            if broken and os.lseek(descriptor, 0, os.SEEK_CUR) == 2 << 20:
                hangs.set()
                answer.wait(20)
            try:
                return super().read(descriptor, size)
            finally:
                reading[0] -= 1

        def open_read(self, name, folder):
            most[0] = max(most[0], reading[0] + 1)
            return super().open_read(name, folder)

    class Broken(System):
        def write(self, descriptor, block):
            if broken:
                hangs.wait(20)
                broken.clear()
                threading.Timer(1.5, answer.set).start()
                raise MADE_TO_FAIL
            return super().write(descriptor, block)

    source = _endpoint(folders / "from", Hanging())
    moved = Mover(token=TOKEN, retries=1, delay=0.0).move(
        source, _entry_of(folders / "from"), _endpoint(folders / "to", Broken()), "b.txt"
    )
    assert (moved.retries, most[0]) == (1, 1)
    broken.append(True)
    hangs.clear()
    answer.clear()
    with pytest.raises(Transient):
        Mover(token=TOKEN).move(source, _entry_of(folders / "from"), _endpoint(folders / "to", Broken()), "b.txt")
    assert reading[0] == 0


def test_a_file_gets_the_time_that_its_caller_names(folders):
    """`modified_at` wins over the source's own time, which `keep_time` gives, and over that of the writing."""
    os.utime(folders / "from" / "a.txt", ns=(0, 1_700_000_000_123_000_000))
    _move(folders, keep_time=True)
    assert (folders / "to" / "b.txt").stat().st_mtime_ns == 1_700_000_000_123_000_000
    _move(folders, keep_time=True, modified_at=981_173_106_789)
    assert (folders / "to" / "b.txt").stat().st_mtime_ns == 981_173_106_789_000_000
    _move(folders, modified_at=0)
    assert (folders / "to" / "b.txt").stat().st_mtime_ns == 0
