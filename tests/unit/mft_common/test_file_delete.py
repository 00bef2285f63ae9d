"""Deleting a local source: no version but the one that was read is ever removed, whatever happens meanwhile."""

import errno
import os

import pytest

from mft_common.endpoints.errors import Changed, NotFound, Transient
from mft_common.endpoints.files import FileEndpoint
from mft_common.endpoints.folders import Folder
from mft_common.endpoints.former import deletion_name
from mft_common.endpoints.system import System

TOKEN = "0000000000000042"


@pytest.fixture
def path(tmp_path):
    """Return the path of a file in a folder of its own."""
    (tmp_path / "from").mkdir()
    (tmp_path / "from" / "a.txt").write_bytes(b"read")
    return tmp_path / "from" / "a.txt"


def names(path):
    """Return the names beside a file."""
    return [one.name for one in path.parent.iterdir()]


def endpoint_of(folder, system):
    """Return an endpoint of a folder, whose system calls are those of `system`."""
    return FileEndpoint(Folder(os.open(folder, os.O_RDONLY | os.O_DIRECTORY), system=system), system=system)


class Late(System):
    """Runs `act` once, after the name's status was asked for and before the next call."""

    def __init__(self, act):
        self._act = act

    def status(self, name, folder):
        found = super().status(name, folder)
        act, self._act = self._act, None
        if act is not None:
            act()
        return found


def replaced_by(path, content):
    """Return a function that gives the name to another file in one step."""

    def act():
        path.with_name("new").write_bytes(content)
        path.with_name("new").replace(path)

    return act


@pytest.mark.parametrize("change", [replaced_by, lambda path, content: lambda: path.write_bytes(content)])
@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_changes_in_the_moment_of_its_deletion_stays(path, change, links):
    """A newer file under the name is not deleted, and has its name afterwards, with and without hard links."""

    class Linkless(Late):
        def rename_to_free(self, *_arguments):
            raise OSError(errno.EINVAL, "no such flag")

        def link(self, *arguments):
            if not links:
                raise PermissionError(1, "no links here")
            super().link(*arguments)

    entry = endpoint_of(path.parent, System()).stat("a.txt")
    with pytest.raises(Changed):
        endpoint_of(path.parent, Linkless(change(path, b"newer"))).delete(entry, token=TOKEN)
    assert path.read_bytes() == b"newer"
    assert names(path) == ["a.txt"]


def test_a_file_that_comes_while_a_changed_one_is_put_back_is_not_replaced(path):
    """Where the name is taken again, both newer files stay, and the error says where the first one is."""

    class Busy(Late):
        def rename_to_free(self, name, target, *folders):
            super().rename_to_free(name, target, *folders)
            path.write_bytes(b"newest")

    entry = endpoint_of(path.parent, System()).stat("a.txt")
    with pytest.raises(Changed) as caught:
        endpoint_of(path.parent, Busy(replaced_by(path, b"newer"))).delete(entry, token=TOKEN)
    (aside,) = {one.name for one in path.parent.iterdir()} - {"a.txt"}
    assert (path.read_bytes(), path.with_name(aside).read_bytes()) == (b"newest", b"newer")
    assert aside in str(caught.value)


@pytest.mark.parametrize("newer", [b"", b"newer"])
def test_a_deletion_that_was_cut_off_is_ended_by_the_next(path, newer):
    """After a crash between rename and removal another call removes the file, and leaves a new one of the name."""

    class Crashing(System):
        def remove(self, name, folder):
            raise KeyboardInterrupt

    entry = endpoint_of(path.parent, System()).stat("a.txt")
    with pytest.raises(KeyboardInterrupt):
        endpoint_of(path.parent, Crashing()).delete(entry, token=TOKEN)
    assert len(names(path)) == 1
    if newer:
        path.write_bytes(newer)
        with pytest.raises(Changed):
            endpoint_of(path.parent, System()).delete(entry, token=TOKEN)
        assert names(path) == ["a.txt"]
        assert path.read_bytes() == newer
        return
    endpoint_of(path.parent, System()).delete(entry, token=TOKEN)
    assert names(path) == []
    with pytest.raises(NotFound):
        endpoint_of(path.parent, System()).delete(entry, token=TOKEN)


def test_a_deletion_that_fails_in_the_middle_says_so(path):
    """A disk that refuses the removal leaves the file aside: a sweep by the token removes it."""

    class Failing(System):
        def remove(self, name, folder):
            raise OSError(errno.EIO, "")

    entry = endpoint_of(path.parent, System()).stat("a.txt")
    with pytest.raises(Transient) as caught:
        endpoint_of(path.parent, Failing()).delete(entry, token=TOKEN)
    assert caught.value.leftover
    assert names(path) != ["a.txt"]
    endpoint_of(path.parent, System()).end_deletions(TOKEN)
    assert names(path) == []


def test_a_newer_file_is_put_back_over_none_where_there_are_no_hard_links(path):
    """Without hard links a file is renamed back, which would replace one that has taken the name meanwhile."""

    class Linkless(System):
        def rename_to_free(self, *_arguments):
            raise OSError(errno.EINVAL, "no such flag")

        def link(self, *arguments):
            raise PermissionError(1, "no links here")

        def rename(self, name, target, *folders):
            super().rename(name, target, *folders)
            if name == "a.txt":
                path.write_bytes(b"newest")

    class Replaced(Late, Linkless):
        pass

    entry = endpoint_of(path.parent, System()).stat("a.txt")
    with pytest.raises(Changed) as caught:
        endpoint_of(path.parent, Replaced(replaced_by(path, b"newer"))).delete(entry, token=TOKEN)
    (kept,) = set(names(path)) - {"a.txt"}
    assert (path.read_bytes(), path.with_name(kept).read_bytes()) == (b"newest", b"newer")
    assert kept in str(caught.value)


def test_a_folder_that_comes_in_the_moment_of_the_deletion_stays(path):
    """A partner's folder of the same name is moved back, with what is in it."""

    def act():
        path.unlink()
        path.mkdir()
        (path / "b").write_bytes(b"theirs")

    entry = endpoint_of(path.parent, System()).stat("a.txt")
    with pytest.raises(Changed):
        endpoint_of(path.parent, Late(act)).delete(entry, token=TOKEN)
    assert (path / "b").read_bytes() == b"theirs"
    assert names(path) == ["a.txt"]


def test_a_newer_file_that_was_given_its_name_back_does_not_come_again(path):
    """After a crash in that moment it has one name: once it is taken away, no sweep brings it back."""

    class Crashing(Late):
        def sync(self, descriptor):
            if path.exists():
                raise KeyboardInterrupt
            super().sync(descriptor)

    entry = endpoint_of(path.parent, System()).stat("a.txt")
    with pytest.raises(KeyboardInterrupt):
        endpoint_of(path.parent, Crashing(replaced_by(path, b"newer"))).delete(entry, token=TOKEN)
    assert path.read_bytes() == b"newer"
    path.unlink()
    endpoint_of(path.parent, System()).end_deletions(TOKEN)
    assert names(path) == []


@pytest.mark.parametrize("name", ["a.txt", "n" * 250])
def test_two_deletions_of_one_version_lose_no_newer_file(path, name):
    """One stood still after its look, and another has moved a newer file aside meanwhile: an even newer one comes."""
    path = path.rename(path.with_name(name))

    class Slow(System):
        def __init__(self, act, *, dies):
            self._act, self._dies = act, dies

        def status(self, asked, folder):
            if self._act is None and self._dies:
                raise KeyboardInterrupt
            found = super().status(asked, folder)
            if asked == name and self._act is not None:
                act, self._act = self._act, None
                act()
            return found

    entry = endpoint_of(path.parent, System()).stat(name)

    def act():
        with pytest.raises(KeyboardInterrupt):
            endpoint_of(path.parent, Slow(replaced_by(path, b"newer"), dies=True)).delete(entry, token=TOKEN)
        assert not path.exists()
        path.write_bytes(b"newest")

    with pytest.raises(Changed):
        endpoint_of(path.parent, Slow(act, dies=False)).delete(entry, token=TOKEN)
    assert path.read_bytes() == b"newest"
    assert sorted(one.read_bytes() for one in path.parent.rglob("*") if one.is_file()) == [b"newer", b"newest"]
    assert len(names(path)) == 2


@pytest.mark.parametrize(
    "ends", [lambda endpoint: endpoint.sweep(TOKEN), lambda endpoint: endpoint.end_deletions(TOKEN)]
)
def test_a_file_with_a_long_name_that_another_kind_of_endpoint_moved_aside_is_kept(path, ends):
    """An SFTP server of the same folder cuts such a name: the file gets one that no sweep looks for."""
    path.rename(path.with_name(deletion_name("n" * 240, TOKEN, "A" * 16)))
    for _ in range(2):
        ends(endpoint_of(path.parent, System()))
    (name,) = names(path)
    assert name.endswith(".FFFFFFFFFFFFFFFF.part")
    assert (path.parent / name).read_bytes() == b"read"


class ShortNames(System):
    """A file system whose names have at most 143 bytes, as those of eCryptfs; `act` runs before the first rename."""

    def __init__(self, act):
        self._act = act

    def status(self, name, folder):
        check_short(name)
        return super().status(name, folder)

    def make_folder(self, name, folder):
        check_short(name)
        super().make_folder(name, folder)

    def rename(self, name, target, folder, target_folder=None):
        check_short(target)
        super().rename(name, target, folder, target_folder)

    def rename_to_free(self, name, target, folder, target_folder):
        check_short(target)
        act, self._act = self._act, None
        if act is not None:
            act()
        super().rename_to_free(name, target, folder, target_folder)


def check_short(name):
    if len(name) > 143:
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))


@pytest.mark.parametrize("newer", [False, True])
def test_a_file_is_deleted_where_names_are_shorter_than_elsewhere(path, newer):
    """The file is moved into a folder of a short name; a newer one gets its name back."""
    path = path.rename(path.with_name("n" * 120))
    endpoint = endpoint_of(path.parent, ShortNames(replaced_by(path, b"another content") if newer else None))
    entry = endpoint.stat(path.name)
    if newer:
        with pytest.raises(Changed):
            endpoint.delete(entry, token=TOKEN)
        assert path.read_bytes() == b"another content"
    else:
        endpoint.delete(entry, token=TOKEN)
    assert names(path) == [path.name] * newer
