"""The `sftp:` endpoint at servers that misbehave: nothing is lost, and no call waits for ever."""

import asyncio
import hashlib
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import asyncssh
import pytest
from structlog.testing import capture_logs

from mft_common.endpoints.errors import (
    AuthenticationFailed,
    BadName,
    Changed,
    Denied,
    DiskFull,
    Exists,
    Mismatch,
    NotFound,
    OutcomeUnknown,
    TargetIsFolder,
    Transient,
)
from mft_common.endpoints.files import open_file
from mft_common.endpoints.folders import LocalFolders
from mft_common.endpoints.former import aside_name, former_name
from mft_common.endpoints.names import Patterns, printable, temporary_name
from mft_common.endpoints.sftp import open_sftp
from mft_common.endpoints.sftp.connection import together
from mft_common.endpoints.sftp.sealed import NOT_READ_BACK
from mft_common.endpoints.sftp.writer import NO_SIZE, TAKEN_AWAY
from mft_common.endpoints.targets import Target, Timeouts, parse_url
from mft_common.transfer import Mover
from tests.endpoints import sftp_replacer
from tests.servers.processes import wait_until
from tests.servers.sick_sftp import PASSWORD, USER, Calls, Plain, SickSftp, be_slow

TOKEN = "0000000000000042"
ALL = Patterns(["*"])
ASIDE = aside_name("f", TOKEN)
CONTENT = random.Random(1).randbytes(3 * 300_000 + 7)


@pytest.fixture
def sick(tmp_path):
    """A server whose class of calls the test sets before it connects."""
    with SickSftp(tmp_path / "far") as server:
        yield server


def target_of(server, **changes):
    """Return the target of a sick server, with short limits."""
    fields = {
        "host": "127.0.0.1",
        "port": server.port,
        "user": USER,
        "password": PASSWORD,
        "host_key": server.host_key,
        "timeouts": Timeouts(connect=5, idle=2),
    }
    return Target(scheme="sftp", **{**fields, **changes})


def connect(server, calls=None, **changes):
    """Open an endpoint at a sick server."""
    if calls is not None:
        server.calls = calls
    return open_sftp(target_of(server, **changes))


def prepared(endpoint, name="f", content=CONTENT, verify="sha256", **options):
    """Return a writer that is sealed."""
    writer = endpoint.writer(name, token=TOKEN, size=len(content), **options)
    writer.begin()
    writer.feed(content)
    writer.seal(len(content), hashlib.sha256(content).hexdigest(), verify)
    return writer


def content_of(server, name="f"):
    """Return the content of a file at the server, None where there is none."""
    path = server.root / name
    return path.read_bytes() if path.exists() else None


def names_of(server):
    """Return the names in the server's folder."""
    return sorted(path.name for path in server.root.iterdir())


def read_all(endpoint, name="f"):
    """Read a file to its end."""
    reader = endpoint.open(endpoint.stat(name))
    try:
        found = b""
        while block := reader.read():
            found += block
        reader.check()
        return found
    finally:
        reader.close()


def read_and_check(reader):
    """Read to the end and check."""
    while reader.read():
        pass
    reader.check()


def take_away(path):
    """Move a delivered file to where partners keep what they took."""
    taken = path.parent / "taken"
    taken.mkdir(exist_ok=True)
    path.rename(taken / "f")


# B1: a server that takes files away


class TakesAtRename(Calls):
    def posix_rename(self, oldpath, newpath):
        super().posix_rename(oldpath, newpath)
        take_away(self.local(newpath))


def test_b1_a_file_that_is_taken_away_at_its_rename_is_delivered(sick):
    """The rename was answered, so nothing is asked about the file any more: one delivery, no warning."""
    with connect(sick, TakesAtRename) as endpoint:
        stored = prepared(endpoint).commit()
    assert (stored.size, stored.warning) == (len(CONTENT), "")
    assert content_of(sick, "taken/f") == CONTENT
    assert names_of(sick) == ["taken"]


class TakesAtClose(Calls):
    def close(self, file_obj):
        written = file_obj.writable()
        super().close(file_obj)
        if written:
            take_away(Path(os.fsdecode(file_obj.name)))


def test_b1_a_file_that_is_taken_away_at_its_close_is_delivered_with_a_warning(sick):
    """The file was compared while it was open; that its temporary name is gone at once after is a warning."""
    with connect(sick, TakesAtClose) as endpoint:
        writer = prepared(endpoint)
        stored = writer.commit()
        assert writer.abort() is None
    assert stored.warning == TAKEN_AWAY
    assert content_of(sick, "taken/f") == CONTENT
    assert names_of(sick) == ["taken"]


def test_b1_a_file_that_somebody_removes_before_its_close_is_not_delivered(sick):
    """The temporary name is looked at before the close: such a file is sent again, and none counts as taken."""
    with connect(sick) as endpoint:
        writer = prepared(endpoint)
        (sick.root / writer.temporary).unlink()
        with pytest.raises(Mismatch, match="removed before it got its name") as raised:
            writer.commit()
        assert raised.value.heals
        assert writer.abort() is None
        prepared(endpoint).commit()
    assert content_of(sick) == CONTENT
    assert names_of(sick) == ["f"]


class WithoutSizes(Calls):
    def stat(self, path):
        return self._bare(super().stat(path))

    def lstat(self, path):
        return self._bare(super().lstat(path))

    def fstat(self, file_obj):
        return self._bare(super().fstat(file_obj))

    def _bare(self, result):
        attributes = asyncssh.SFTPAttrs.from_local(result)
        return asyncssh.SFTPAttrs(permissions=attributes.permissions)


@pytest.mark.parametrize(("verify", "warning"), [("sha256", ""), ("size", NO_SIZE)])
def test_b1_a_stat_without_a_size_fails_no_delivery(sick, verify, warning):
    """With the checksum everything was compared; where the size was all to compare, the result says that it was not."""
    with connect(sick, WithoutSizes) as endpoint:
        assert prepared(endpoint, verify=verify).commit().warning == warning
        assert read_all(endpoint) == CONTENT
    assert content_of(sick) == CONTENT


# B2: the check after the upload fails


class NoStatAfterRename(Calls):
    def posix_rename(self, oldpath, newpath):
        super().posix_rename(oldpath, newpath)
        self.server.count("renamed")

    def lstat(self, path):
        if "renamed" in self.server.counts:
            raise asyncssh.SFTPPermissionDenied("no")
        return super().lstat(path)

    stat = lstat


def test_b2_nothing_is_deleted_after_the_rename(sick):
    """Where every stat fails after the rename the file is delivered, and an abort leaves it alone."""
    (sick.root / "f").write_bytes(b"former")
    with connect(sick, NoStatAfterRename) as endpoint:
        writer = prepared(endpoint)
        assert writer.commit().warning == ""
        assert writer.abort() is None
        endpoint.sweep(TOKEN, (writer.temporary,))
    assert content_of(sick) == CONTENT
    assert names_of(sick) == ["f"]


class DropsAtRename(Calls):
    def posix_rename(self, oldpath, newpath):
        if self.local(oldpath).exists():
            self.server.count("renames")
            super().posix_rename(oldpath, newpath)
            self.connection.abort()
        else:
            super().posix_rename(oldpath, newpath)


@pytest.mark.parametrize("second", ["commit", "abort"])
def test_b2_a_rename_whose_answer_is_lost_is_found_and_not_repeated(sick, second):
    """The connection breaks between rename and answer: the next call connects anew and finds the delivered file."""
    (sick.root / "f").write_bytes(b"former")
    with connect(sick, DropsAtRename) as endpoint:
        writer = prepared(endpoint)
        with pytest.raises(Transient):
            writer.commit()
        stored = getattr(writer, second)()
        assert (stored.size, stored.warning) == (len(CONTENT), "")
    assert sick.counts["renames"] == 1
    assert content_of(sick) == CONTENT
    assert names_of(sick) == ["f"]


class DropsAndTakes(Calls):
    def posix_rename(self, oldpath, newpath):
        exists = self.local(oldpath).exists()
        super().posix_rename(oldpath, newpath)
        if exists:
            take_away(self.local(newpath))
            self.connection.abort()


def test_b2_a_lost_answer_and_a_file_that_is_taken_away(sick):
    """Without proof that the rename took place the file is sent again, because twice is better than never."""
    with connect(sick, DropsAndTakes) as endpoint:
        writer = prepared(endpoint)
        with pytest.raises(Transient):
            writer.commit()
        with pytest.raises(Mismatch):
            writer.commit()
        assert writer.abort() is None
    assert content_of(sick, "taken/f") == CONTENT


class Away(Calls):
    """A server that ends every connection."""

    def __init__(self, channel, server):
        super().__init__(channel, server)
        channel.get_connection().abort()


class LinksAndLeaves(Calls):
    def link(self, oldpath, newpath):
        if self.local(oldpath).exists():
            os.link(self.local(oldpath), self.local(newpath))
            self.server.calls = Away
            self.connection.abort()
        else:
            super().link(oldpath, newpath)


@pytest.mark.parametrize("retries", [0, 2])
@pytest.mark.parametrize("stopped", [False, True])
def test_an_exclusive_commit_at_a_server_that_goes_away_has_no_known_outcome(sick, tmp_path, retries, stopped):
    """The link was made, its answer is lost, and nothing tells that: a failure would be reported for a delivered file.

    So it is where the caller stops the move meanwhile.
    """
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "f").write_bytes(CONTENT)
    stop = threading.Event()
    mover = Mover(
        token=TOKEN, if_exists="fail", retries=retries, delay=0.0, interrupt=stop,
        retrying=lambda _number: stop.set() if stopped else None,
    )  # fmt: skip
    with (
        connect(sick, LinksAndLeaves) as endpoint,
        open_file(parse_url("file:here"), LocalFolders(tmp_path)) as here,
        pytest.raises(OutcomeUnknown) as caught,
    ):
        mover.move(here, here.stat("f"), endpoint, "f")
    assert caught.value.silent
    assert caught.value.leftover
    assert content_of(sick) == CONTENT


def test_a_replacement_at_a_server_that_goes_away_may_be_sent_again(sick, tmp_path):
    """A file that may be replaced is whole after another try: the error is that of the connection."""
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "f").write_bytes(CONTENT)

    class Leaves(Calls):
        def posix_rename(self, oldpath, newpath):
            exists = self.local(oldpath).exists()
            super().posix_rename(oldpath, newpath)
            if exists:
                self.server.calls = Away
                self.connection.abort()

    with (
        connect(sick, Leaves) as endpoint,
        open_file(parse_url("file:here"), LocalFolders(tmp_path)) as here,
        pytest.raises(Transient),
    ):
        Mover(token=TOKEN).move(here, here.stat("f"), endpoint, "f")


def spoil(calls, change):
    """Return calls whose first rename of the temporary file to `f` changes it instead, and breaks the connection."""

    def lose(self, oldpath, newpath):
        part = self.local(oldpath)
        of_part = newpath.endswith(b"/f") and part.exists() and ASIDE.encode() not in oldpath
        if of_part and self.server.count("lost") == 1:
            change(part)
            self.connection.abort()
            raise asyncssh.SFTPFailure("lost")
        getattr(calls, method)(self, oldpath, newpath)

    method = "rename" if issubclass(calls, Plain) else "posix_rename"
    return type("Spoils", (calls,), {method: lose})


def zeros(part):
    """Empty a file and keep its size and times, as after a crash of the server's machine."""
    times = part.stat()
    part.write_bytes(bytes(len(CONTENT)))
    os.utime(part, ns=(times.st_atime_ns, times.st_mtime_ns))


SAME_SIZE = b"\1" * len(CONTENT)


@pytest.mark.parametrize("former", [None, b"former", SAME_SIZE])
@pytest.mark.parametrize("calls", [Calls, Plain])
@pytest.mark.parametrize("second", ["commit", "abort"])
def test_a_temporary_file_that_vanishes_at_a_lost_rename_is_no_delivery(sick, calls, former, second):
    """The former file, or nothing, has the name: that is not taken for the new file, and the former one survives."""
    if former is not None:
        (sick.root / "f").write_bytes(former)
        os.utime(sick.root / "f", (1_600_000_000, 1_600_000_000))
    with connect(sick, spoil(calls, Path.unlink)) as endpoint:
        writer = prepared(endpoint, modified_at=1_600_000_000_000)
        with pytest.raises(Transient):
            writer.commit()
        if second == "commit":
            with pytest.raises(Mismatch):
                writer.commit()
        assert writer.abort() is None
        assert content_of(sick) == former
        assert names_of(sick) == ([] if former is None else ["f"])
        prepared(endpoint).commit()
    assert content_of(sick) == CONTENT
    assert names_of(sick) == ["f"]


@pytest.mark.parametrize("verify", ["sha256", "size"])
@pytest.mark.parametrize(
    "change", [zeros, lambda part: os.truncate(part, 10), lambda part: part.write_bytes(SAME_SIZE)]
)
def test_a_temporary_file_that_changed_since_it_was_compared_gets_no_name(sick, change, verify):
    """Over a new connection size and content are compared again: a server may have lost what it had confirmed."""
    # Where the server confirmed an fsync, size and time are all that `size` compares.
    forgets = verify == "size" and change is zeros
    calls = type("WithoutFsync", (Calls,), {"fsync": refuse_fsync}) if forgets else Calls
    with connect(sick, spoil(calls, change)) as endpoint:
        writer = prepared(endpoint, verify=verify, modified_at=1_600_000_000_000)
        with pytest.raises(Transient):
            writer.commit()
        with pytest.raises(Mismatch):
            writer.commit()
        assert writer.abort() is None
    assert names_of(sick) == []


def refuse_fsync(self, _file_obj):
    """Answer as a server that does not know the request."""
    raise asyncssh.SFTPOpUnsupported("unknown request")


@pytest.mark.parametrize("verify", ["sha256", "size"])
def test_a_connection_that_is_lost_before_the_commit_is_no_reason_to_send_again(sick, verify):
    """The temporary file is compared over the new connection, and gets its name."""
    with connect(sick) as endpoint:
        writer = prepared(endpoint, verify=verify)
        endpoint._connection.call(drop(endpoint))
        stored = writer.commit()
    assert (stored.size, stored.warning) == (len(CONTENT), "")
    assert content_of(sick) == CONTENT
    assert names_of(sick) == ["f"]


async def drop(endpoint):
    """Break the connection of an endpoint."""
    endpoint._connection.drop(await endpoint._connection.session())


class DropsBeforeRename(Calls):
    def posix_rename(self, oldpath, newpath):
        if self.local(oldpath).exists() and self.server.count("renames") == 1:
            self.connection.abort()
            raise asyncssh.SFTPFailure("lost")
        super().posix_rename(oldpath, newpath)


def test_a_rename_that_was_not_carried_out_is_asked_for_again(sick):
    """The connection breaks before the rename: the next commit renames."""
    with connect(sick, DropsBeforeRename) as endpoint:
        writer = prepared(endpoint)
        with pytest.raises(Transient):
            writer.commit()
        assert writer.commit().warning == ""
    assert sick.counts["renames"] == 2
    assert content_of(sick) == CONTENT
    assert names_of(sick) == ["f"]


# B3: no rename that replaces


def test_b3_without_posix_rename_a_file_is_replaced_in_two_steps(sick):
    """The former file is moved aside and removed after the rename; features and log say so."""
    (sick.root / "f").write_bytes(b"former")
    with connect(sick, Plain) as endpoint, capture_logs() as logs:
        assert not endpoint.features.atomic_replace
        assert not endpoint.features.exclusive_create
        assert prepared(endpoint).commit().replaced is True
    assert content_of(sick) == CONTENT
    assert names_of(sick) == ["f"]
    events = [line["event"] for line in logs]
    assert events == ["sftp.replacing_in_two_steps", "sftp.replaced_in_two_steps"]
    assert logs[0]["former"] == ASIDE


class RefusesTheSecondRename(Plain):
    def rename(self, oldpath, newpath):
        if newpath.endswith(b"/f") and ASIDE.encode() not in oldpath:
            raise asyncssh.SFTPPermissionDenied("not under that name")
        super().rename(oldpath, newpath)


def test_b3_the_former_file_gets_its_name_back_where_the_rename_is_refused(sick):
    """The commit fails, the former content has its name, the new one is whole under its temporary name."""
    (sick.root / "f").write_bytes(b"former")
    with connect(sick, RefusesTheSecondRename) as endpoint, capture_logs() as logs:
        writer = prepared(endpoint)
        with pytest.raises(Denied):
            writer.commit()
        assert content_of(sick) == b"former"
        assert content_of(sick, writer.temporary) == CONTENT
        assert writer.abort() is None
    assert names_of(sick) == ["f"]
    assert "sftp.former_restored" in [line["event"] for line in logs]


class IsTakenBetweenTheRenames(Plain):
    """Another program puts its own file under the final name while the former one is moved aside."""

    def rename(self, oldpath, newpath):
        super().rename(oldpath, newpath)
        if ASIDE.encode() in newpath:
            self.local(oldpath).write_bytes(b"another program's")


@pytest.mark.parametrize("second", ["abort", "sweep", "another writer"])
def test_a_former_file_is_kept_where_another_program_takes_its_name(sick, second):
    """It can neither get its name back nor is it replaced by ours: it stays under a name that the log tells."""
    (sick.root / "f").write_bytes(b"former")
    with connect(sick, IsTakenBetweenTheRenames) as endpoint, capture_logs() as logs:
        writer = prepared(endpoint)
        with pytest.raises(Exists):
            writer.commit()
        if second == "abort":
            assert writer.abort() is None
        elif second == "sweep":
            assert len(endpoint.sweep(TOKEN, (writer.temporary,))) == 2
        else:
            sick.calls = Plain
            with connect(sick, Plain) as other:
                prepared(other, content=b"a third one").commit()
        endpoint.sweep(TOKEN, (writer.temporary,))
        endpoint.sweep(TOKEN)
        assert [entry.path for entry in endpoint.list(ALL)] == ["f"]
    (kept,) = [line["left"] for line in logs if line["event"] == "sftp.former_kept"]
    assert names_of(sick) == sorted(["f", kept])
    assert content_of(sick, kept) == b"former"
    assert content_of(sick) == (b"a third one" if second == "another writer" else b"another program's")


class DropsBetweenTheRenames(Plain):
    def rename(self, oldpath, newpath):
        super().rename(oldpath, newpath)
        if ASIDE.encode() in newpath and self.server.count("drops") == 1:
            self.connection.abort()


@pytest.mark.parametrize("second", ["commit", "abort", "sweep", "another writer"])
def test_b3_a_connection_that_breaks_between_the_renames_loses_nothing(sick, second):
    """Both contents are whole under some name; each way on leaves the former or the new one under the final name."""
    (sick.root / "f").write_bytes(b"former")
    with connect(sick, DropsBetweenTheRenames) as endpoint:
        writer = prepared(endpoint)
        with pytest.raises(Transient):
            writer.commit()
        assert content_of(sick, ASIDE) == b"former"
        assert content_of(sick, writer.temporary) == CONTENT
        assert list(endpoint.list(ALL)) == []
        if second == "commit":
            writer.commit()
        elif second == "abort":
            assert writer.abort() is None
        elif second == "sweep":
            assert len(endpoint.sweep(TOKEN, (writer.temporary,))) == 2
        else:
            with connect(sick) as other:
                prepared(other, content=b"a third one").commit()
    expected = {"commit": CONTENT, "another writer": b"a third one"}.get(second, b"former")
    assert content_of(sick) == expected
    assert names_of(sick) == ["f"]


class SlowRenames(Plain):
    """Gives a kill time to come before, between and after the renames; every second rename is the second of a pair."""

    async def rename(self, oldpath, newpath):
        await be_slow(0.002)
        super().rename(oldpath, newpath)
        self.server.count("renames")
        await be_slow(0.002)


@pytest.mark.parametrize("kills", [4, pytest.param(40, marks=pytest.mark.slow)])
def test_b3_a_kill_at_any_moment_of_a_replacement_loses_nothing(sick, tmp_path, kills):
    """SIGKILL at seeded moments: the former or the new content is whole under some name, and a sweep names it again."""
    sick.calls = SlowRenames
    random_ = random.Random(3)
    fields = {
        name: value for name, value in vars(target_of(sick)).items() if name in ("host", "port", "user", "password")
    }
    arguments = [sys.executable, str(Path(__file__).with_name("sftp_replacer.py"))]
    arguments.append(json.dumps({**fields, "host_key": sick.host_key}))
    log = tmp_path / "log"
    between = 0
    for _ in range(kills):
        with log.open("wb") as errors:
            process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=errors, start_new_session=True)
        try:
            committed = int(process.stdout.readline())
            renames = sick.counts["renames"] + random_.randrange(1, 6)
            wait_until(lambda until=renames: sick.counts["renames"] >= until, every=0.0005)
        finally:
            process.kill()
            committed = int((process.stdout.read().split() or [committed])[-1])
            process.wait()
            process.stdout.close()
        wait_until(lambda: not sick.busy(), what="the server notices that the client is gone")
        whole = {path.name: number_of(path.read_bytes()) for path in sick.root.iterdir()}
        if "f" not in whole:
            between += 1
            # The log says under which names the two are.
            last = json.loads(log.read_text().splitlines()[-1])
            assert last["event"] == "sftp.replacing_in_two_steps"
            assert sorted(whole) == sorted([last["former"], last["new"]])
        assert any(number >= committed for number in whole.values()), (whole, committed)
        with connect(sick) as endpoint, capture_logs() as logs:
            endpoint.sweep(TOKEN)
        assert ("sftp.former_restored" in [line["event"] for line in logs]) == ("f" not in whole)
        assert names_of(sick) == ["f"]
        assert number_of(content_of(sick)) >= committed
    print(f"{between} of {kills} kills came between the two renames")


def number_of(content):
    """Return the number that a whole content names, -1 for a part of one."""
    number = int(content[:8] or b"0")
    return number if content == sftp_replacer.content_of(number) else -1


class LosesTheFormerFile(Plain):
    def rename(self, oldpath, newpath):
        if ASIDE.encode() in newpath and self.server.count("lost") == 1:
            self.local(oldpath).unlink()
        super().rename(oldpath, newpath)


def test_b3_a_former_file_that_vanishes_meanwhile_is_no_delivery(sick):
    """The former file is removed by another: the commit may be repeated, and is not taken for carried out."""
    (sick.root / "f").write_bytes(b"former")
    with connect(sick, LosesTheFormerFile) as endpoint:
        writer = prepared(endpoint)
        with pytest.raises(Transient):
            writer.commit()
        assert content_of(sick) is None
        assert writer.commit().warning == ""
    assert content_of(sick) == CONTENT
    assert names_of(sick) == ["f"]


def test_b3_no_unfinished_file_is_taken_for_a_former_one(sick):
    """The name of a former file that is moved aside is the temporary name of no file that can be written."""
    assert aside_name("f", TOKEN) == f"..f.0000000000000000.part.{TOKEN}.part"
    assert former_name(ASIDE, TOKEN) == "f"
    inner = ASIDE.removeprefix(".").removesuffix(f".{TOKEN}.part")
    assert temporary_name(inner, TOKEN) == ASIDE
    with connect(sick, Plain) as endpoint:
        with pytest.raises(BadName):
            endpoint.writer(inner, token=TOKEN)
        for name in ("f.former", ".f", "f.0000000000000000"):
            writer = endpoint.writer(name, token=TOKEN)
            writer.begin()
            writer.feed(b"unfinished")
            writer.abort(keep=True)
            assert former_name(writer.temporary, TOKEN) is None
        assert len(endpoint.sweep(TOKEN)) == 3
    assert names_of(sick) == []


def test_a_name_that_leaves_no_room_to_move_the_former_file_aside_is_not_replaced(sick):
    """A name that long is refused before anything is changed."""
    name = "n" * 230
    (sick.root / name).write_bytes(b"former")
    with connect(sick, Plain) as endpoint:
        writer = prepared(endpoint, name)
        with pytest.raises(Exception, match="too long"):
            writer.commit()
        writer.abort()
    assert content_of(sick, name) == b"former"
    assert names_of(sick) == [name]


# B5: a size that is not true, a file that may be opened once


class Lies(Calls):
    def fstat(self, file_obj):
        return self._longer(super().fstat(file_obj))

    def lstat(self, path):
        return self._longer(super().lstat(path))

    def _longer(self, result):
        attributes = asyncssh.SFTPAttrs.from_local(result)
        attributes.size += 10
        return attributes


def test_b5_a_size_that_is_too_large_is_a_changed_source(sick):
    """The reader goes to the end of the file, and no further wait follows."""
    (sick.root / "f").write_bytes(CONTENT)
    with connect(sick, Lies) as endpoint:
        started = time.monotonic()
        with pytest.raises(Changed, match="fewer bytes"):
            read_all(endpoint)
        assert time.monotonic() - started < 2


def test_b5_a_file_that_grows_is_a_changed_source(sick):
    """More bytes than the size that was listed are not taken for the file."""
    (sick.root / "f").write_bytes(CONTENT)
    with connect(sick) as endpoint:
        entry = endpoint.stat("f")
        reader = endpoint.open(entry)
        with (sick.root / "f").open("ab") as file:
            file.write(b"more")
        with pytest.raises(Changed):
            read_and_check(reader)
        reader.close()


class OpensOnce(Calls):
    def open(self, path, pflags, attrs):
        found = super().open(path, pflags, attrs)
        self.server.count("opens")
        self.local(path).unlink()
        return found

    def fstat(self, file_obj):
        raise asyncssh.SFTPFailure("no stat while it is open")


def test_b5_a_file_that_is_gone_once_it_is_open_is_read(sick):
    """One open, no question about its path: a server that hands each file out once delivers it."""
    (sick.root / "f").write_bytes(CONTENT)
    with connect(sick, OpensOnce) as endpoint:
        assert read_all(endpoint) == CONTENT
        with pytest.raises(NotFound):
            endpoint.stat("f")
    assert sick.counts["opens"] == 1


# B6: names that are not UTF-8


class OddNames(Calls):
    async def scandir(self, path):
        for name in (b"ok.csv", b"\xff.csv", b"../up.csv", b"a/b.csv", b"nul\0.csv", b""):
            attributes = asyncssh.SFTPAttrs.from_local((self.server.root / "ok.csv").stat())
            yield asyncssh.SFTPName(name, b"-rw " + name, attributes)


def test_b6_a_name_that_is_not_utf_8_breaks_no_listing(sick):
    """The name is listed with its bytes, read, delivered and shown with each of them; one that is a path is skipped."""
    for name in (b"ok.csv", b"\xff.csv"):
        (sick.root / os.fsdecode(name)).write_bytes(name)
    skipped = []
    with connect(sick, OddNames) as endpoint:
        found = list(endpoint.list(ALL, skipped=lambda path, _why: skipped.append(path)))
        assert [entry.path for entry in found] == ["ok.csv", "\udcff.csv"]
        reader = endpoint.open(found[1])
        assert reader.read() == b"\xff.csv"
        reader.close()
        prepared(endpoint, "\udcfe.csv").commit()
    assert printable(found[1].path) == "\\xff.csv"
    assert skipped == ["../up.csv", "a/b.csv", "nul\0.csv", ""]
    assert (sick.root / "\udcfe.csv").read_bytes() == CONTENT


# Silence, slowness, refusals


def hang(self, *_arguments):
    """Answer once the test is over."""
    return asyncio.get_running_loop().run_in_executor(None, self.server.released.wait)


def close_and_hang(self, file_obj):
    """Close a file and answer once the test is over."""
    file_obj.close()
    return hang(self)


def hanging(method):
    """Return calls of which one never answers."""
    return type("Hangs", (Calls,), {method: close_and_hang if method == "close" else hang})


@pytest.mark.parametrize("method", ["open", "read", "write", "lstat", "close", "fsync", "remove", "mkdir"])
def test_a_server_that_falls_silent_ends_each_call_within_the_idle_limit(sick, method):
    """No call waits longer, the error may heal, and the endpoint connects anew for the next call (E37)."""
    (sick.root / "f").write_bytes(CONTENT)
    with connect(sick, hanging(method), timeouts=Timeouts(connect=5, idle=0.4)) as endpoint:
        entry = None if method == "lstat" else endpoint.stat("f")
        started = time.monotonic()
        call = {
            "remove": lambda: endpoint.delete(entry, token=TOKEN),
            "mkdir": lambda: endpoint.make_folder("new"),
            "read": lambda: read_all(endpoint),
        }.get(method, lambda: prepared(endpoint, "g", verify="size").commit())
        with pytest.raises(Transient):
            call()
        assert time.monotonic() - started < 2
        sick.calls = Calls
        if method == "remove":
            # The file was moved aside: the next call for it ends the deletion.
            endpoint.delete(entry, token=TOKEN)
            assert list(sick.root.iterdir()) == []
        else:
            assert endpoint.stat("f").size == len(CONTENT)


def test_a_listener_that_says_nothing_ends_the_connection_attempt(sick):
    """A port that accepts and never answers is Transient after the limit for connecting."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        started = time.monotonic()
        with pytest.raises(Transient):
            connect(sick, port=listener.getsockname()[1], timeouts=Timeouts(connect=0.4, idle=5))
        assert time.monotonic() - started < 2


class Slow(Calls):
    async def read(self, file_obj, offset, size):
        await be_slow(0.15)
        return super().read(file_obj, offset, size)

    async def write(self, file_obj, offset, data):
        await be_slow(0.15)
        return super().write(file_obj, offset, data)


def test_a_slow_server_is_waited_for_while_anything_moves(sick):
    """A transfer takes longer than the idle limit where every answer comes within it."""
    content = random.Random(2).randbytes(1 << 20)
    with connect(sick, Slow, timeouts=Timeouts(connect=5, idle=0.5)) as endpoint:
        started = time.monotonic()
        prepared(endpoint, content=content).commit()
        assert read_all(endpoint) == content
        assert time.monotonic() - started > 0.6


class NoRoom(Calls):
    def write(self, file_obj, offset, data):
        raise OSError(28, "No space left on device")


def test_a_full_disk_is_told(sick):
    """A server whose answer names the full disk gives DiskFull, which waiting does not heal."""
    with connect(sick, NoRoom) as endpoint:
        writer = endpoint.writer("f", token=TOKEN)
        writer.begin()
        writer.feed(CONTENT)
        with pytest.raises(DiskFull):
            writer.flush()
        writer.abort()
    assert names_of(sick) == []


class RefusesRename(Calls):
    def posix_rename(self, oldpath, newpath):
        if self.local(oldpath).exists():
            raise asyncssh.SFTPPermissionDenied("no")
        super().posix_rename(oldpath, newpath)


def test_a_refused_rename_leaves_the_former_file(sick):
    """The commit is Denied, the abort removes the temporary file, the former one is untouched."""
    (sick.root / "f").write_bytes(b"former")
    with connect(sick, RefusesRename) as endpoint:
        writer = prepared(endpoint)
        with pytest.raises(Denied):
            writer.commit()
        assert writer.abort() is None
    assert content_of(sick) == b"former"
    assert names_of(sick) == ["f"]


class CannotBeReadBack(Calls):
    def open(self, path, pflags, attrs):
        if not pflags & asyncssh.FXF_WRITE:
            raise asyncssh.SFTPPermissionDenied("write only")
        return super().open(path, pflags, attrs)

    def fsync(self, file_obj):
        raise asyncssh.SFTPOpUnsupported("unknown request")

    def fsetstat(self, file_obj, attrs):
        raise asyncssh.SFTPPermissionDenied("no")


def test_a_server_that_cannot_be_read_back_gives_a_warning(sick):
    """Without read access the size is compared alone, and the result says so; fsync and times are not needed."""
    with connect(sick, CannotBeReadBack) as endpoint:
        stored = prepared(endpoint, modified_at=1_600_000_000_000).commit()
        assert stored.warning == NOT_READ_BACK
        writer = endpoint.writer("g", token=TOKEN)
        writer.begin()
        writer.feed(b"abc")
        with pytest.raises(Mismatch):
            writer.seal(4, "", "sha256")
        writer.abort()
    assert names_of(sick) == ["f"]


class LosesABlock(Calls):
    def write(self, file_obj, offset, data):
        return super().write(file_obj, offset, bytes(len(data)) if offset else data)


def test_a_server_that_stores_other_bytes_is_found_before_the_rename(sick):
    """The bytes that were written are read back: Mismatch, and nothing has the final name."""
    with connect(sick, LosesABlock) as endpoint:
        with pytest.raises(Mismatch):
            prepared(endpoint)
        endpoint.sweep(TOKEN)
    assert names_of(sick) == []


async def send_together(*names):
    """Send one request a name, the second of which fails; return the order of events and the error."""
    events = []

    async def request(name):
        events.append(f"{name} sent")
        await be_slow(0)
        events.append(f"{name} answered")
        if name == names[1]:
            raise NotFound(name)

    try:
        await together(*map(request, names))
    except NotFound as error:
        return events, str(error)


def test_requests_that_do_not_need_one_another_are_sent_together():
    """Each is sent in its order before the first is answered; an error of one is raised once all are answered."""
    events, error = asyncio.run(send_together("look", "open", "close"))
    order = ["look", "open", "close"]
    assert events == [*(f"{name} sent" for name in order), *(f"{name} answered" for name in order)]
    assert error == "open"


def test_a_folder_of_that_name_is_found_at_the_beginning(sick):
    """The temporary file that was opened beside the look at the name is closed and removed again."""
    (sick.root / "f").mkdir()
    with connect(sick) as endpoint:
        writer = endpoint.writer("f", token=TOKEN)
        with pytest.raises(TargetIsFolder):
            writer.begin()
        assert writer.abort() is None
    assert names_of(sick) == ["f"]


class CannotClose(Calls):
    def close(self, file_obj):
        written = file_obj.writable()
        super().close(file_obj)
        if written:
            raise asyncssh.SFTPFailure("quota")


def test_a_close_that_fails_is_found_before_the_rename(sick):
    """A failed close means a failed write: nothing gets the final name, however often it is asked for."""
    with connect(sick, CannotClose) as endpoint:
        writer = prepared(endpoint)
        for _ in range(2):
            with pytest.raises(Mismatch):
                writer.commit()
        writer.abort()
    assert names_of(sick) == []


class ShortReads(Calls):
    def read(self, file_obj, offset, size):
        return super().read(file_obj, offset, min(size, 10_007))


def test_a_server_that_answers_less_than_it_was_asked_for_is_asked_again(sick):
    """Short answers leave no gap."""
    (sick.root / "f").write_bytes(CONTENT)
    with connect(sick, ShortReads) as endpoint:
        assert read_all(endpoint) == CONTENT


class DropsAtLink(Calls):
    def link(self, oldpath, newpath):
        exists = self.local(oldpath).exists()
        super().link(oldpath, newpath)
        if exists and self.server.count("links") == 1:
            self.connection.abort()


@pytest.mark.parametrize("came", [None, b"x" * len(CONTENT)])
def test_an_exclusive_commit_whose_answer_is_lost_is_found_by_its_content(sick, came):
    """The link was made: the second commit finds the same content. Another file of that size and time is Exists."""
    calls = DropsAtLink if came is None else type("Refuses", (DropsBeforeLink,), {"came": came})
    with connect(sick, calls) as endpoint:
        writer = prepared(endpoint, if_exists="fail")
        with pytest.raises(Transient):
            writer.commit()
        if came is None:
            assert writer.commit().warning == ""
        else:
            with pytest.raises(Exists):
                writer.commit()
            writer.abort()
    assert content_of(sick) == (came or CONTENT)
    assert names_of(sick) == ["f"]


class DropsBeforeLink(Calls):
    came = b""

    def link(self, oldpath, newpath):
        if self.local(oldpath).exists() and self.server.count("links") == 1:
            other = self.local(newpath)
            other.write_bytes(self.came)
            times = self.local(oldpath).stat()
            os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
            self.connection.abort()
            raise asyncssh.SFTPFailure("lost")
        super().link(oldpath, newpath)


# Logging in


def test_a_wrong_password_is_refused_at_once_and_never_shown(sick):
    """One try, an error that no waiting heals, and the password in no text."""
    with capture_logs() as logs, pytest.raises(AuthenticationFailed) as raised:
        connect(sick, password="wrong horse")
    assert sick.counts["passwords"] == 1
    assert not raised.value.heals
    assert "wrong horse" not in f"{raised.value!r}{logs}{target_of(sick)!r}"


def test_a_private_key_that_cannot_be_decrypted_is_named(sick):
    """A key whose passphrase is missing or wrong, and text that is no key, are AuthenticationFailed at once."""
    key = asyncssh.generate_private_key("ssh-rsa").export_private_key("pkcs8-pem", "pass").decode()
    for text, passphrase in ((key, ""), (key, "wrong"), ("-----BEGIN no key", "")):
        with pytest.raises(AuthenticationFailed, match="private key"):
            connect(sick, password="", key=text, passphrase=passphrase)
    assert "users" not in sick.counts


def test_a_closed_endpoint_answers_no_call(sick):
    """After the close every call is an error, and a second close changes nothing."""
    endpoint = connect(sick)
    endpoint.close()
    endpoint.close()
    with pytest.raises(Transient):
        endpoint.stat("f")


def test_exclusive_creation_without_hard_links(sick):
    """A server without hard links refuses a name that is taken by its rename, or by our look a moment before."""
    with connect(sick, Plain) as endpoint:
        writer = prepared(endpoint, if_exists="fail")
        (sick.root / "f").write_bytes(b"came meanwhile")
        with pytest.raises(Exists):
            writer.commit()
        writer.abort()
    assert content_of(sick) == b"came meanwhile"
    assert names_of(sick) == ["f"]
