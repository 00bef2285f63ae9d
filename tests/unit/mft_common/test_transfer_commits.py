"""The commit of a file into a folder: it can be repeated, and a file that has its name is never deleted."""

import errno
import os
import stat

import pytest

from mft_common.endpoints.files import FileEndpoint
from mft_common.endpoints.folders import Folder
from mft_common.endpoints.names import Patterns
from mft_common.endpoints.system import System
from mft_common.transfer import Mover

TOKEN = "0000000000000042"
CONTENT = bytes(range(256)) * 9000


@pytest.fixture
def folders(tmp_path):
    """Return a folder with `from/a.txt` and an empty folder `to`."""
    (tmp_path / "from").mkdir()
    (tmp_path / "to").mkdir()
    (tmp_path / "from" / "a.txt").write_bytes(CONTENT)
    return tmp_path


def names(path):
    """Return the names in a folder."""
    return sorted(one.name for one in path.iterdir())


def _endpoint(path, system):
    return FileEndpoint(Folder(os.open(path, os.O_RDONLY | os.O_DIRECTORY), system=system), system=system)


def move(folders, system, **options):
    """Move `a.txt` to `b.txt` in the other folder, whose system calls are those of `system`."""
    source = _endpoint(folders / "from", System())
    (entry,) = source.list(Patterns(["a.txt"]))
    return Mover(token=TOKEN, **options).move(source, entry, _endpoint(folders / "to", system), "b.txt")


@pytest.mark.parametrize("if_exists", ["replace", "fail"])
@pytest.mark.parametrize("number", [errno.EIO, errno.EINVAL])
def test_a_name_that_cannot_be_made_durable_is_a_warning(folders, if_exists, number):
    """The visible file stays and the move succeeds; durable it is not, but where the file system has no such call."""

    class Stuck(System):
        def sync(self, descriptor):
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                raise OSError(number, "broken")
            super().sync(descriptor)

    moved = move(folders, Stuck(), if_exists=if_exists)
    assert (folders / "to" / "b.txt").read_bytes() == CONTENT
    assert names(folders / "to") == ["b.txt"]
    assert moved.durable == (number == errno.EINVAL)
    assert ("EIO" in moved.warning) == (number == errno.EIO)


def test_progress_that_cannot_be_reported_fails_no_delivered_file(folders):
    """A call-back of progress that raises at the end of the file does so before the commit: nothing is visible."""

    class BrokenError(Exception):
        pass

    def report(count):
        if count == len(CONTENT):
            assert not (folders / "to" / "b.txt").exists()
            raise BrokenError

    with pytest.raises(BrokenError):
        move(folders, System(), progress=report)
    assert names(folders / "to") == []


def test_the_digests_of_a_file_are_told_before_it_is_visible(folders):
    """`sealed` has what was read and written while the whole file still has its temporary name."""
    told = []

    def tell(copied):
        assert names(folders / "to") == [f".b.txt.{TOKEN}.part"]
        told.append(copied)

    moved = move(folders, System(), sealed=tell, md5=True)
    assert [(one.entry, one.source, one.delivered) for one in told] == [(moved.entry, moved.source, moved.delivered)]


@pytest.mark.parametrize("if_exists", ["replace", "fail"])
@pytest.mark.parametrize("call", ["rename", "link", "sync"])
@pytest.mark.parametrize("retries", [0, 1])
def test_a_commit_whose_answer_is_lost_finds_its_own_file(folders, if_exists, call, retries):
    """A call of the commit that was carried out and reported as failed is no conflict with itself."""
    lost, writes = [call], []

    class Losing(System):
        def write(self, descriptor, block):
            writes.append(super().write(descriptor, block))
            return writes[-1]

        def _lose(self, name):
            if name in lost:
                lost.remove(name)
                raise OSError(errno.EIO, "made to fail")

        def rename(self, *arguments):
            super().rename(*arguments)
            self._lose("rename")

        def link(self, *arguments):
            super().link(*arguments)
            self._lose("link")

        def sync(self, descriptor):
            super().sync(descriptor)
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                self._lose("sync")

    moved = move(folders, Losing(), if_exists=if_exists, retries=retries, delay=0.0)
    assert (moved.delivered.size, moved.replaced, sum(writes)) == (len(CONTENT), False, len(CONTENT))
    assert names(folders / "to") == ["b.txt"]


def test_a_guard_that_refuses_after_an_unanswered_commit_hides_no_delivered_file(folders):
    """The file is visible and stays: it is told as delivered, and not as one of which nothing is there."""
    asked = []

    class RefusedError(Exception):
        pass

    class Losing(System):
        def rename(self, *arguments):
            super().rename(*arguments)
            raise OSError(errno.EIO, "made to fail")

    def guard():
        asked.append(names(folders / "to"))
        if len(asked) > 1:
            raise RefusedError

    moved = move(folders, Losing(), guard=guard, retries=1, delay=0.0)
    assert asked == [[f".b.txt.{TOKEN}.part"], ["b.txt"]]
    assert (moved.delivered.size, moved.retries) == (len(CONTENT), 1)
    assert (folders / "to" / "b.txt").read_bytes() == CONTENT


def test_a_guard_that_refuses_before_any_commit_leaves_nothing(folders):
    """Its own error is raised, and nothing is visible."""

    class RefusedError(Exception):
        pass

    def guard():
        raise RefusedError

    with pytest.raises(RefusedError):
        move(folders, System(), guard=guard)
    assert names(folders / "to") == []
