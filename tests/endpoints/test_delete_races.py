"""Files that take the name of one that is being deleted, over every kind of endpoint that deletes."""

import contextlib
import functools
import os
import random
import threading

import pytest
from structlog.testing import capture_logs

from mft_common.endpoints.aside_delete import marks_of
from mft_common.endpoints.errors import Changed, Denied, NotFound, TransferError
from mft_common.endpoints.former import KEPT, deletion_name
from mft_common.endpoints.ftp import open_ftp
from mft_common.endpoints.names import Patterns
from mft_common.endpoints.sftp import open_sftp
from mft_common.endpoints.targets import Target
from tests.servers.openssh import OpenSsh
from tests.servers.pyftpd import Pyftpd

TOKEN = "0123456789ABCDEF"
ALL = Patterns(["*"])
IN_STEPS = ("sftp", "ftp")
OVER_SSH = ("sftp", "sftp-plain")
LONGEST_PATH = 4096
# The second one leaves no room for the whole name of a file that is aside.
NAMES = ("f", "f" * 230)
# Of a deletion over SSH: a look for an earlier one, the rename, a look at the file that is aside, and its removal.
CALLS = 4


@pytest.fixture
def endpoint(far):
    """An endpoint on the far side of a test."""
    with far.open() as opened:
        yield opened


def replace(far, number, content, name="f"):
    """Replace a file in one step, as a program does that cares for its readers."""
    if not hasattr(far, "path"):
        far.write_outside(name, content)
        return
    made = far.path.parent / f"{far.path.name}-{number}"
    made.write_bytes(content)
    made.replace(far.path / name)


class Interrupted:
    """The calls of a deletion; before the one of this number, `happens` is called."""

    def __init__(self, files, number, happens):
        self._files, self._left, self._happens = files, number, happens

    def __getattr__(self, name):
        call = getattr(self._files, name)

        def counted(*arguments):
            if self._left == 0:
                self._happens()
            self._left -= 1
            return call(*arguments)

        return counted


@pytest.mark.parametrize("name", NAMES, ids=["short", "long"])
def test_a_file_that_takes_the_name_between_two_requests_of_a_deletion_is_kept(far, endpoint, name):
    """The new file is there afterwards, also at a server whose own rename is not one step."""
    if far.kind not in (*OVER_SSH, *IN_STEPS):
        return
    files = endpoint._files
    for number in range(CALLS):
        far.write_outside(name, b"to be deleted")
        newer = b"newer %d" % number
        endpoint._files = Interrupted(files, number, functools.partial(replace, far, number, newer, name))
        with contextlib.suppress(Changed):
            endpoint.delete(endpoint.stat(name), token=TOKEN)
        assert far.read_outside(name) == newer
        assert far.names_outside() == [name]


def test_a_file_that_takes_the_name_amid_a_deletion_is_kept(far, endpoint):
    """The new file is there afterwards, whatever moment it came at, and the deletion says what it has done."""
    if not endpoint.features.deleting or far.kind == "sftp-plain":
        # OpenSSH's plain rename is a link and a removal: the endpoint says so, and no request can prevent it.
        assert not endpoint.features.exact_deletion
        return
    chance, tries = random.Random(7), 150 if hasattr(far, "path") else 5
    for number in range(tries):
        far.write_outside("f", b"to be deleted")
        newer = b"newer %d" % number
        other = threading.Timer(chance.uniform(0.0, 0.004), replace, (far, number, newer))
        entry = endpoint.stat("f")
        other.start()
        try:
            endpoint.delete(entry, token=TOKEN)
        except (Changed, NotFound):
            pass
        finally:
            other.join()
        assert far.read_outside("f") == newer
        assert far.names_outside() == ["f"]


def aside(far, entry, token=TOKEN):
    """Return the path at which a deletion of a listed file has it aside."""
    version = entry.version.split("-" if far.kind == "sftp" else ":")[0]
    return far.path / deletion_name(entry.path, token, marks_of(version, entry.modified_at)[0])


@pytest.mark.parametrize("name", NAMES, ids=["short", "long"])
@pytest.mark.parametrize("then", ["end_deletions", "sweep", "delete"])
def test_a_deletion_that_was_cut_off_is_ended(far, endpoint, then, name):
    """The listed file is removed by whatever comes next, and its deletion is no failure."""
    if far.kind not in IN_STEPS:
        return
    far.write_outside(name, b"delivered")
    entry = endpoint.stat(name)
    (far.path / name).rename(aside(far, entry))
    assert list(endpoint.list(ALL)) == []
    if then == "end_deletions":
        far.endpoints().end_deletions("endpoint:far", TOKEN)
    elif then == "sweep":
        endpoint.sweep(TOKEN)
    else:
        endpoint.delete(entry, token=TOKEN)
    assert far.names_outside() == []


@pytest.mark.parametrize("name", NAMES, ids=["short", "long"])
@pytest.mark.parametrize("then", ["end_deletions", "sweep", "delete"])
@pytest.mark.parametrize("taken", [False, True])
def test_a_newer_file_that_was_moved_aside_gets_its_name_back(far, endpoint, then, taken, name):
    """It is kept under a name that nothing removes where another one has its own by now, or that is cut."""
    if far.kind not in IN_STEPS:
        return
    far.write_outside(name, b"delivered")
    entry = endpoint.stat(name)
    far.write_outside(name, b"another content")
    (far.path / name).rename(aside(far, entry))
    if taken:
        far.write_outside(name, b"the newest of all")
    with capture_logs() as logs:
        if then == "end_deletions":
            far.endpoints().end_deletions("endpoint:far", TOKEN)
        elif then == "sweep":
            endpoint.sweep(TOKEN)
        else:
            with pytest.raises(Changed):
                endpoint.delete(entry, token=TOKEN)
        endpoint.sweep(TOKEN)
    keeps = taken or (name != "f" and then != "delete")
    found = {one: far.read_outside(one) for one in far.names_outside()}
    kept = [content for one, content in found.items() if one.endswith(f".{KEPT}.part")]
    assert kept == [b"another content"] * keeps
    assert found.get(name) == (b"the newest of all" if taken else None if keeps else b"another content")
    assert [one.path for one in endpoint.list(ALL)] == [name] * (name in found)
    assert len(found) == len(kept) + (name in found)
    assert [line["event"] for line in logs] == ["file.newer_kept" if keeps else "file.newer_restored"]


def test_a_deletion_of_another_token_is_left_alone(far, endpoint):
    """It belongs to other work, which may be under way."""
    if far.kind not in IN_STEPS:
        return
    far.write_outside("f", b"delivered")
    path = aside(far, endpoint.stat("f"), "FEDCBA9876543210")
    (far.path / "f").rename(path)
    endpoint.end_deletions(TOKEN)
    endpoint.sweep(TOKEN)
    assert far.names_outside() == [path.name]


@pytest.fixture
def sftp(tmp_path):
    """Return a function that gives an endpoint of an sshd which refuses some requests, and its folder."""
    opened = []

    def start(refused):
        server = OpenSsh(tmp_path / "ssh", key_types=("ed25519",), sftp_server_options=("-P", refused)).start()
        opened.append(server)
        (tmp_path / "files").mkdir()
        target = Target(
            scheme="sftp", host="127.0.0.1", port=server.port, user=server.user, key=server.key,
            host_key=server.host_keys["ed25519"], folder=str(tmp_path / "files"),
        )  # fmt: skip
        opened.append(open_sftp(target))
        return opened[-1], tmp_path / "files"

    yield start
    for one in reversed(opened):
        getattr(one, "close", None) and one.close()
        getattr(one, "stop", None) and one.stop()


def test_a_server_that_refuses_to_rename_still_deletes(sftp):
    """Then the name is looked at, and removed."""
    endpoint, folder = sftp("rename,posix-rename,hardlink")
    (folder / "f").write_bytes(b"x")
    endpoint.delete(endpoint.stat("f"), token=TOKEN)
    assert list(folder.iterdir()) == []


def test_a_server_that_refuses_to_remove_leaves_the_source_under_its_name(sftp):
    """The file is given its name back, and the error is that of the removal."""
    endpoint, folder = sftp("remove")
    (folder / "f").write_bytes(b"x")
    with pytest.raises(Denied, match=r"^f: ") as caught:
        endpoint.delete(endpoint.stat("f"), token=TOKEN)
    assert not caught.value.leftover
    assert [path.name for path in folder.iterdir()] == ["f"]


@pytest.mark.parametrize("newer", [False, True])
def test_a_server_whose_renames_change_the_time_still_deletes(tmp_path, newer):
    """It copies and deletes: the time tells nothing after that, and the size does."""
    with Pyftpd(tmp_path, retimes=True) as server, open_ftp(server.target()) as endpoint:
        (server.root / "f").write_bytes(b"delivered")
        os.utime(server.root / "f", (1_000_000_000, 1_000_000_000))
        entry = endpoint.stat("f")
        if newer:
            (server.root / "f").write_bytes(b"another content")
            with pytest.raises(Changed):
                endpoint.delete(entry, token=TOKEN)
        else:
            endpoint.delete(entry, token=TOKEN)
        assert [path.name for path in server.root.iterdir()] == ["f"] * newer


@pytest.mark.parametrize("newer", [False, True])
def test_a_server_that_hides_the_file_that_is_aside_still_deletes(tmp_path, newer):
    """It tells nothing of names with a leading dot: the file gets its own back, and is looked at there."""
    with Pyftpd(tmp_path, hides_dots=True, takes="f" if newer else "") as server, open_ftp(server.target()) as endpoint:
        (server.root / "f").write_bytes(b"delivered")
        entry = endpoint.stat("f")
        if newer:
            with pytest.raises(Changed):
                endpoint.delete(entry, token=TOKEN)
        else:
            endpoint.delete(entry, token=TOKEN)
        assert [(path.name, path.read_bytes()) for path in server.root.iterdir()] == [
            ("f", b"another program's")
        ] * newer


def test_a_file_that_another_sweep_has_removed_meanwhile_is_deleted(tmp_path):
    """It was moved aside, and is gone from there: its deletion is no failure."""
    with Pyftpd(tmp_path, vanishes=True) as server, open_ftp(server.target()) as endpoint:
        (server.root / "f").write_bytes(b"delivered")
        endpoint.delete(endpoint.stat("f"), token=TOKEN)
        assert list(server.root.iterdir()) == []


def test_a_lost_connection_leaves_a_deletion_that_can_be_ended(tmp_path):
    """The server renames and goes away: the error says that the file may be aside, and a second call deletes it."""
    with Pyftpd(tmp_path, cut_at_rename=1, carried_out=True) as server, open_ftp(server.target()) as endpoint:
        (server.root / "f").write_bytes(b"delivered")
        entry = endpoint.stat("f")
        with pytest.raises(TransferError) as caught:
            endpoint.delete(entry, token=TOKEN)
        assert caught.value.heals
        assert caught.value.leftover
        endpoint.delete(entry, token=TOKEN)
        assert list(server.root.iterdir()) == []


def test_a_server_that_has_no_room_for_a_longer_name_still_deletes(sftp):
    """The path of the file is almost as long as paths may be: it is looked at, and removed."""
    endpoint, folder = sftp("setstat")
    path, opened = "", os.open(folder, os.O_RDONLY)
    while len(f"{folder}/{path}") < LONGEST_PATH - 256:
        name = "d" * 200
        os.mkdir(name, dir_fd=opened)
        below = os.open(name, os.O_RDONLY, dir_fd=opened)
        os.close(opened)
        path, opened = f"{path}{name}/", below
    name = "f" * (LONGEST_PATH - 40 - len(f"{folder}/{path}"))
    os.close(os.open(name, os.O_CREAT | os.O_WRONLY, dir_fd=opened))
    os.close(opened)
    endpoint.delete(endpoint.stat(f"{path}{name}"), token=TOKEN)
    with pytest.raises(NotFound):
        endpoint.stat(f"{path}{name}")
