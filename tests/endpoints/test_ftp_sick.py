"""FTP servers that cut, refuse, hang and lie."""

import contextlib
import hashlib
import random
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from crossdock import certificate
from mft_common.endpoints.contract import BLOCK, Entry
from mft_common.endpoints.errors import (
    AuthenticationFailed,
    DiskFull,
    Exists,
    Mismatch,
    TransferError,
    Transient,
    UntrustedServer,
)
from mft_common.endpoints.former import aside_name
from mft_common.endpoints.ftp import open_ftp
from mft_common.endpoints.names import Patterns
from mft_common.endpoints.targets import Target, Timeouts
from tests.servers.lying_ftp import NO_FACTS, LyingFtp
from tests.servers.pyftpd import PASSWORD, Pyftpd
from tests.servers.stopwatch import Stopwatch
from tests.servers.vsftpd import Vsftpd

TOKEN = "0000000000000042"
ALL = Patterns(["*"])
TEXT = b"one\ntwo\n\nlast without an end"


@pytest.fixture(scope="session")
def tls(tmp_path_factory):
    """Return the files of a certificate and its key."""
    return certificate.ensure(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def pyftpd(tmp_path):
    """Return a function that starts pyftpdlib with faults."""
    with contextlib.ExitStack() as stack:
        yield lambda **options: stack.enter_context(Pyftpd(tmp_path, **options))


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def fill(writer, content, verify="sha256"):
    """Take a writer up to its commit."""
    position = writer.begin()
    for start in range(position, len(content), BLOCK):
        writer.feed(content[start : start + BLOCK])
    writer.seal(len(content), sha256(content), verify)
    return writer


def read(endpoint, entry, start=0):
    """Read a file to its end."""
    reader = endpoint.open(entry, start)
    found = b""
    while block := reader.read():
        found += block
    reader.check()
    return found


def names(server):
    """Return the names of a server's root, unfinished files included."""
    return sorted(path.name for path in server.root.iterdir())


@contextlib.contextmanager
def vsftpd(folder, **options):
    """Start vsftpd and give the target of its root."""
    root = folder / "root"
    root.mkdir()
    with Vsftpd(folder / "vsftpd", root, **options) as server:
        certified = options.get("tls")
        kind = ("implicit" if options.get("implicit") else "explicit") if certified else ""
        scheme, ca = ("ftps", str(certified[0])) if certified else ("ftp", None)
        login = {"user": "anonymous", "password": server.password}
        yield Target(scheme=scheme, host="localhost", port=server.port, **login, tls=kind, ca=ca)


def several_files(endpoint):
    """Write and read three files, one of them in two transfers, and read another one from its middle."""
    content = random.Random(8).randbytes(BLOCK + 9)
    for number in range(3):
        writer = endpoint.writer(f"f{number}", token=TOKEN)
        writer.begin()
        writer.feed(content[:BLOCK])
        assert writer.flush().position == BLOCK
        writer.feed(content[BLOCK:])
        writer.seal(len(content), sha256(content), "sha256")
        writer.commit()
    for entry in endpoint.list(ALL):
        assert read(endpoint, entry) == content
    assert read(endpoint, endpoint.stat("f0"), 1000) == content[1000:]
    version = endpoint._connections._idle[0]._client.sock.version()
    return str(version)


@pytest.mark.parametrize("protocol", ["TLSv1.2", "TLSv1.3"])
def test_every_data_connection_resumes_the_session_with_pyftpdlib(pyftpd, tls, protocol):
    """A server that looks whether the session was resumed takes and gives several files (B8)."""
    server = pyftpd(tls=tls, protocol=protocol)
    with open_ftp(server.target()) as endpoint:
        assert several_files(endpoint) == protocol
    assert len(server.sessions()) >= 12
    assert set(server.sessions()) == {f"{protocol} 1"}


@pytest.mark.parametrize("protocol", ["TLSv1.2", "TLSv1.3"])
@pytest.mark.parametrize("implicit", [False, True])
def test_every_data_connection_resumes_the_session_with_vsftpd(tmp_path, tls, protocol, implicit):
    """With `require_ssl_reuse=YES` several files are taken and given, by explicit and implicit TLS (B8)."""
    with vsftpd(tmp_path, tls=tls, protocol=protocol, implicit=implicit) as target, open_ftp(target) as endpoint:
        assert several_files(endpoint) == protocol


@pytest.mark.parametrize("answer", ["426 Connection closed; transfer aborted.", "451 Local error."])
def test_an_answer_of_failure_after_all_bytes_is_no_success(pyftpd, answer):
    """The file gets no name although its size is right, the error heals, and another try delivers (B10)."""
    server = pyftpd(store_answer=answer, faults=2)
    content = b"x" * 3000
    (server.root / "f").write_bytes(b"former")
    with open_ftp(server.target()) as endpoint:
        for _ in range(2):
            writer = endpoint.writer("f", token=TOKEN)
            with pytest.raises(Transient, match=answer[:3]):
                fill(writer, content)
            with pytest.raises(Mismatch):
                writer.commit()
            assert writer.abort() is None
            assert names(server) == ["f"]
            assert (server.root / "f").read_bytes() == b"former"
        fill(endpoint.writer("f", token=TOKEN), content).commit()
    assert names(server) == ["f"]
    assert (server.root / "f").read_bytes() == content


def texts_both_ways(endpoint, root):
    """Write and read a text, and check what the server holds."""
    assert not endpoint.features.resume_read
    assert not endpoint.features.resume_write
    writer = endpoint.writer("t", token=TOKEN, size=len(TEXT))
    assert writer.begin() == 0
    for start in range(0, len(TEXT), 5):
        writer.feed(TEXT[start : start + 5])
    assert writer.flush().position == 0
    writer.seal(len(TEXT), sha256(TEXT), "sha256")
    assert writer.commit().warning == ""
    assert (root / "t").read_bytes() == TEXT
    assert read(endpoint, endpoint.stat("t")) == TEXT
    (entry,) = endpoint.list(ALL)
    assert entry.size is None
    large = b"a line of text\n" * 200_000
    fill(endpoint.writer("t", token=TOKEN), large).commit()
    assert (root / "t").read_bytes() == large
    assert read(endpoint, entry) == large


def test_texts_with_a_server_that_refuses_size_in_ascii(pyftpd):
    """Sizes are asked for in binary, between transfers of type ASCII, and never compared with ours (B11)."""
    server = pyftpd()
    with open_ftp(server.target(mode="ascii")) as endpoint:
        texts_both_ways(endpoint, server.root)


def test_texts_with_vsftpd(tmp_path):
    """The same with a server without MLSD (B11)."""
    with vsftpd(tmp_path) as target, open_ftp(replace(target, mode="ascii")) as endpoint:
        texts_both_ways(endpoint, tmp_path / "root")


def test_times_are_unknown_without_mlsd(pyftpd):
    """A listing by LIST gives no times and the features say so; MDTM gives that of one file (B13)."""
    server = pyftpd(unknown=["MLSD", "MLST"])
    for name in (" lead", "a -> b", "Jan 12 07:08", ".hidden"):
        (server.root / name).write_bytes(b"12345")
    with open_ftp(server.target()) as endpoint:
        assert not endpoint.features.modified_at
        found = {entry.path: entry for entry in endpoint.list(ALL)}
        assert sorted(found) == [" lead", ".hidden", "Jan 12 07:08", "a -> b"]
        assert {entry.size for entry in found.values()} == {5}
        assert {entry.modified_at for entry in found.values()} == {None}
        assert endpoint.stat(" lead").modified_at // 1000 == int((server.root / " lead").stat().st_mtime)
        assert read(endpoint, found["a -> b"]) == b"12345"


def test_a_server_that_renames_onto_no_file(pyftpd):
    """The former file is moved aside and removed after the rename (B3)."""
    server = pyftpd(keeps_existing=True)
    (server.root / "f").write_bytes(b"former")
    with open_ftp(server.target()) as endpoint:
        stored = fill(endpoint.writer("f", token=TOKEN), b"new").commit()
    assert stored.replaced
    assert stored.warning == ""
    assert names(server) == ["f"]
    assert (server.root / "f").read_bytes() == b"new"


@pytest.mark.parametrize("carried_out", [True, False])
@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("then", ["sweep", "commit", "abort", "begin"])
def test_a_connection_that_breaks_amid_the_renames_loses_no_file(pyftpd, number, carried_out, then):
    """Both contents are whole under some name after each rename; what follows leaves one under the final name (B3)."""
    server = pyftpd(keeps_existing=True, cut_at_rename=number, carried_out=carried_out)
    (server.root / "f").write_bytes(b"former")
    with open_ftp(server.target()) as endpoint:
        writer = fill(endpoint.writer("f", token=TOKEN), b"new")
        with pytest.raises(Transient):
            writer.commit()
        assert {path.read_bytes() for path in server.root.iterdir()} == {b"former", b"new"}
        delivered = number == 3 and carried_out
        if then == "commit":
            writer.commit()
            delivered = True
        elif then == "abort":
            assert (writer.abort() is not None) == delivered
        elif then == "begin":
            fill(endpoint.writer("f", token=TOKEN), b"new").commit()
            delivered = True
    with open_ftp(server.target()) as endpoint:
        # Another process, after the death of the first.
        endpoint.sweep(TOKEN)
    assert names(server) == ["f"]
    assert (server.root / "f").read_bytes() == (b"new" if delivered else b"former")


@pytest.mark.parametrize("then", ["sweep", "abort", "begin"])
def test_a_former_file_is_kept_where_another_program_takes_its_name(pyftpd, then):
    """It can neither get its name back nor is it replaced by ours: it stays under a name that the log tells."""
    server = pyftpd(keeps_existing=True, cut_at_rename=2, carried_out=True)
    (server.root / "f").write_bytes(b"former")
    with open_ftp(server.target()) as endpoint, capture_logs() as logs:
        writer = fill(endpoint.writer("f", token=TOKEN), b"new")
        with pytest.raises(Transient):
            writer.commit()
        (server.root / "f").write_bytes(b"another program's")
        if then == "abort":
            assert writer.abort() is None
        elif then == "begin":
            fill(endpoint.writer("f", token=TOKEN), b"a third one").commit()
        endpoint.sweep(TOKEN, (writer.temporary,))
        endpoint.sweep(TOKEN)
        assert [entry.path for entry in endpoint.list(ALL)] == ["f"]
    (kept,) = [line["left"] for line in logs if line["event"] == "ftp.former_kept"]
    assert names(server) == sorted(["f", kept])
    assert (server.root / kept).read_bytes() == b"former"
    assert (server.root / "f").read_bytes() == (b"a third one" if then == "begin" else b"another program's")


@pytest.mark.parametrize("then", ["sweep", "abort", "begin"])
def test_a_former_file_is_kept_where_another_program_takes_its_name_amid_the_renames(pyftpd, then):
    """The server refuses both names that the file could get, and answers: nothing is lost with the unfinished file."""
    server = pyftpd(keeps_existing=True, taken_at_rename=3)
    (server.root / "f").write_bytes(b"former")
    with open_ftp(server.target()) as endpoint, capture_logs() as logs:
        writer = fill(endpoint.writer("f", token=TOKEN), b"new")
        with pytest.raises(TransferError):
            writer.commit()
        if then == "abort":
            assert writer.abort() is None
        elif then == "begin":
            fill(endpoint.writer("f", token=TOKEN), b"a third one").commit()
        endpoint.sweep(TOKEN, (writer.temporary,))
        endpoint.sweep(TOKEN)
    (kept,) = [line["left"] for line in logs if line["event"] == "ftp.former_kept"]
    assert names(server) == sorted(["f", kept])
    assert (server.root / kept).read_bytes() == b"former"
    assert (server.root / "f").read_bytes() == (b"a third one" if then == "begin" else b"another program's")


@pytest.mark.parametrize("name", ["report.former", ".report", "report.0000000000000000"])
def test_no_unfinished_file_is_taken_for_a_former_one(pyftpd, name):
    """A sweep removes the unfinished file of every name, and publishes nothing under another one."""
    server = pyftpd()
    with open_ftp(server.target()) as endpoint:
        writer = endpoint.writer(name, token=TOKEN)
        writer.begin()
        writer.feed(b"half")
        writer.abort(keep=True)
        assert endpoint.sweep(TOKEN) == (writer.temporary,)
    assert names(server) == []


def test_a_refused_rename_gives_the_former_file_its_name_back(pyftpd):
    """The third rename is refused: the former file is under its name again, and the new one is aborted (B3)."""
    server = pyftpd(keeps_existing=True, refused_at_rename=3)
    (server.root / "f").write_bytes(b"former")
    with open_ftp(server.target()) as endpoint:
        writer = fill(endpoint.writer("f", token=TOKEN), b"new")
        with pytest.raises(TransferError):
            writer.commit()
        assert (server.root / "f").read_bytes() == b"former"
        assert aside_name("f", TOKEN) not in names(server)
        writer.abort()
    assert names(server) == ["f"]


def test_a_commit_whose_answer_was_lost_is_found(pyftpd):
    """The rename is carried out and its answer lost: a second commit finds the file, and nothing is sent again."""
    server = pyftpd(cut_at_rename=1, carried_out=True)
    with open_ftp(server.target()) as endpoint:
        writer = fill(endpoint.writer("f", token=TOKEN), b"new")
        with pytest.raises(Transient):
            writer.commit()
        stored = writer.commit()
        assert (stored.size, stored.replaced, stored.warning) == (3, None, "")
        assert writer.abort() is None
    assert names(server) == ["f"]


WITHOUT_FACTS = ["MLSD", "MLST"]


@pytest.mark.parametrize(
    ("keeps_existing", "former", "unknown", "second"),
    [
        (False, None, [], "commit"),
        (False, b"former", [], "abort"),
        (False, b"old", [], "commit"),
        (False, b"old", WITHOUT_FACTS, "commit"),
        (False, b"old", WITHOUT_FACTS, "abort"),
        (True, b"former", [], "commit"),
        (True, b"old", [], "abort"),
        (True, b"old", WITHOUT_FACTS, "commit"),
    ],
)
def test_a_temporary_file_that_vanishes_at_a_lost_rename_is_no_delivery(
    pyftpd, keeps_existing, former, unknown, second
):
    """The former file, or nothing, has the name: that is not taken for the new file, and the former one survives."""
    number = 3 if keeps_existing and former else 1
    faults = {"cut_at_rename": number, "carried_out": False, "spoils": "unlink"}
    server = pyftpd(keeps_existing=keeps_existing, unknown=unknown, **faults)
    if former is not None:
        (server.root / "f").write_bytes(former)
    with open_ftp(server.target()) as endpoint:
        writer = fill(endpoint.writer("f", token=TOKEN), b"new")
        with pytest.raises(Transient):
            writer.commit()
        if second == "commit":
            with pytest.raises(Mismatch):
                writer.commit()
        assert writer.abort() is None
        assert names(server) == ([] if former is None else ["f"])
        assert former is None or (server.root / "f").read_bytes() == former
        fill(endpoint.writer("f", token=TOKEN), b"new").commit()
    assert names(server) == ["f"]
    assert (server.root / "f").read_bytes() == b"new"


@pytest.mark.parametrize("verify", ["sha256", "size"])
@pytest.mark.parametrize("spoils", ["cut", "zeros"])
def test_a_temporary_file_that_changed_since_it_was_compared_gets_no_name(pyftpd, spoils, verify):
    """Over a new connection size and content are compared again: a server may have lost what it had confirmed."""
    server = pyftpd(cut_at_rename=1, carried_out=False, spoils=spoils)
    with open_ftp(server.target()) as endpoint:
        writer = fill(endpoint.writer("f", token=TOKEN), b"new", verify)
        with pytest.raises(Transient):
            writer.commit()
        with pytest.raises(Mismatch):
            writer.commit()
        assert writer.abort() is None
    assert names(server) == []


@pytest.mark.parametrize("options", [{}, {"unknown": WITHOUT_FACTS}, {"unknown": ["RETR"]}])
@pytest.mark.parametrize("mode", ["binary", "ascii"])
def test_a_delivered_file_is_found_by_each_way_to_look(pyftpd, options, mode):
    """A rename without an answer is found by the version, by the content, or by the size where nothing else is told."""
    server = pyftpd(cut_at_rename=1, carried_out=True, **options)
    with open_ftp(server.target(mode=mode)) as endpoint:
        writer = fill(endpoint.writer("f", token=TOKEN), b"new\n")
        with pytest.raises(Transient):
            writer.commit()
        assert writer.commit().size == 4
    assert names(server) == ["f"]


SIZE = 24 * BLOCK
CONTENT = random.Random(1).randbytes(SIZE)


def cut_uploads(server, rounds, seed):
    """Upload a file whose connections are cut once at a random byte, with a checkpoint each MiB."""
    draw = random.Random(seed)
    with open_ftp(server.target()) as endpoint:
        assert endpoint.features.resume_write
        for _ in range(rounds):
            cut = draw.randrange(1, SIZE)
            (server.root.parent / "cut").write_text(str(cut))
            checkpoint, sent, tries = None, 0, 0
            while True:
                tries += 1
                writer = endpoint.writer("f", token=TOKEN, size=SIZE, resume=checkpoint)
                try:
                    position = writer.begin()
                    assert checkpoint is None or position == checkpoint.position
                    while position < SIZE:
                        writer.feed(CONTENT[position : position + BLOCK])
                        sent += BLOCK
                        position += BLOCK
                        checkpoint = writer.flush()
                    writer.seal(SIZE, sha256(CONTENT), "size")
                except Transient:
                    # The bytes since the last checkpoint are sent again.
                    writer.abort(keep=True)
                    continue
                writer.commit()
                break
            assert tries == 2, cut
            assert sent - SIZE < SIZE / 10, cut
            assert (server.root / "f").read_bytes() == CONTENT, cut
            assert names(server) == ["f"]


def cut_downloads(server, rounds, seed):
    """Download a file whose connections are cut once at a random byte."""
    draw = random.Random(seed)
    (server.root / "f").write_bytes(CONTENT)
    with open_ftp(server.target()) as endpoint:
        assert endpoint.features.resume_read
        for _ in range(rounds):
            cut = draw.randrange(1, SIZE)
            (server.root.parent / "cut").write_text(str(cut))
            entry, found, tries = endpoint.stat("f"), bytearray(), 0
            while len(found) < SIZE:
                tries += 1
                reader = endpoint.open(entry, len(found))
                try:
                    while block := reader.read():
                        found += block
                except Transient:
                    assert cut - len(found) < SIZE / 10
                reader.close()
            assert tries == 2, cut
            assert found == CONTENT


@pytest.mark.parametrize("secured", [True, False])
def test_transfers_that_are_cut_go_on(pyftpd, tls, secured):
    """Three cuts each way: the right bytes, and fewer than a tenth of them twice."""
    server = pyftpd(tls=tls if secured else None)
    cut_uploads(server, 3, seed=3)
    cut_downloads(server, 3, seed=4)


@pytest.mark.slow
@pytest.mark.parametrize("secured", [True, False])
def test_transfers_that_are_cut_fifty_times_go_on(pyftpd, tls, secured):
    """The same with 50 random cuts each way."""
    server = pyftpd(tls=tls if secured else None)
    cut_uploads(server, 50, seed=1)
    cut_downloads(server, 50, seed=2)


@pytest.mark.parametrize("secured", [True, False])
def test_the_connection_after_a_cut_is_another_one(pyftpd, tls, secured):
    """No answer of a broken transfer is taken for that of the next command."""
    server = pyftpd(tls=tls if secured else None)
    (server.root / "f").write_bytes(CONTENT)
    with open_ftp(server.target()) as endpoint:
        entry = endpoint.stat("f")
        reader = endpoint.open(entry)
        reader.read(1000)
        reader.close()
        assert endpoint.stat("f") == entry
        (server.root.parent / "cut").write_text("5000")
        with pytest.raises(Transient):
            read(endpoint, entry)
        assert endpoint.stat("f") == entry
        assert read(endpoint, entry) == CONTENT


def test_a_full_disk_is_named(pyftpd):
    """The answer that ended the transfer is the error, not the broken connection."""
    server = pyftpd(full_at=100_000)
    with open_ftp(server.target()) as endpoint:
        writer = endpoint.writer("f", token=TOKEN)
        with pytest.raises(DiskFull):
            fill(writer, CONTENT)
        writer.abort()
    assert names(server) == []


@pytest.mark.parametrize("secured", [True, False])
def test_a_wrong_password_is_final_and_is_not_shown(pyftpd, tls, secured):
    """The login fails for good, and no text of the error holds the password."""
    server = pyftpd(tls=tls if secured else None)
    with pytest.raises(AuthenticationFailed) as caught:
        open_ftp(server.target(password="wrong word"))
    assert not caught.value.heals
    error = caught.value
    while error is not None:
        assert "wrong word" not in repr(error)
        error = error.__cause__
    assert PASSWORD not in repr(server.target())


def test_certificates_are_always_checked(pyftpd, tls):
    """A certificate of an unknown authority ends the connection before the login."""
    server = pyftpd(tls=tls)
    with pytest.raises(UntrustedServer) as caught:
        open_ftp(server.target(ca=None))
    assert not caught.value.heals


def test_a_server_without_tls_gets_no_password(pyftpd):
    """`ftps:` never falls back to an unprotected login."""
    server = pyftpd()
    with pytest.raises(UntrustedServer):
        open_ftp(server.target(scheme="ftps", tls="explicit"))


@pytest.mark.parametrize("command", ["USER", "MLST", "RETR", "PASV"])
def test_a_server_that_does_not_answer_is_given_up(pyftpd, command):
    """After the idle time the error heals (E37)."""
    server = pyftpd(hangs_at=command)
    (server.root / "f").write_bytes(b"x")
    since = Stopwatch()
    with pytest.raises(Transient), open_ftp(server.target(timeouts=Timeouts(connect=1.0, idle=0.5))) as endpoint:
        endpoint.open(Entry("f"))
    assert since.seconds < 5


def test_a_server_that_lies_about_sizes(pyftpd):
    """A file that is shorter than its size is not whole; one that arrived with another size gets no name."""
    server = pyftpd(size_lie=10, unknown=["MLSD", "MLST"])
    (server.root / "f").write_bytes(b"x" * 1000)
    with open_ftp(server.target()) as endpoint:
        with pytest.raises(Transient, match="1000 bytes came of 1010"):
            read(endpoint, Entry("f"))
        writer = endpoint.writer("g", token=TOKEN)
        with pytest.raises(Mismatch):
            fill(writer, b"y" * 1000, verify="size")
        writer.abort()
    assert names(server) == ["f"]


def test_a_digest_that_the_server_computes_is_compared(pyftpd):
    """Where FEAT offers XSHA256 the file is not read back, and another digest is a mismatch."""
    server = pyftpd(digest=sha256(b"right").upper(), unknown=["RETR"])
    with open_ftp(server.target()) as endpoint:
        assert endpoint.features.checksums == ("sha256",)
        assert fill(endpoint.writer("f", token=TOKEN), b"right").commit().warning == ""
        writer = endpoint.writer("g", token=TOKEN)
        with pytest.raises(Mismatch):
            fill(writer, b"wrong")
        writer.abort()
    assert names(server) == ["f"]


def test_files_that_cannot_be_read_back_are_delivered_with_a_warning(pyftpd):
    """A server that takes files and gives none back compares sizes alone, and the result says so."""
    server = pyftpd(unknown=["RETR"])
    with open_ftp(server.target()) as endpoint:
        stored = fill(endpoint.writer("f", token=TOKEN), b"new").commit()
    assert "checksum was not compared" in stored.warning


def test_other_calls_while_a_transfer_is_open(pyftpd):
    """A listing, a second transfer and a read go on beside an open transfer, over connections of their own."""
    server = pyftpd()
    for name in ("a", "b", "sub/c"):
        (server.root / name).parent.mkdir(exist_ok=True)
        (server.root / name).write_bytes(name.encode())
    with open_ftp(server.target()) as endpoint:
        writer = endpoint.writer("out", token=TOKEN)
        writer.begin()
        readers = []
        for entry in endpoint.list(ALL, recursive=True):
            reader = endpoint.open(entry)
            readers.append(reader)
        for reader in sorted(readers, key=lambda one: one.entry.path):
            writer.feed(reader.read())
            assert reader.read() == b""
        writer.seal(7, sha256(b"absub/c"), "sha256")
        writer.commit()
        assert len(endpoint._connections._idle) == 4
    assert (server.root / "out").read_bytes() == b"absub/c"


@pytest.mark.parametrize("character", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028"])
def test_a_name_with_a_line_end_of_unicode_is_looked_up_whole(pyftpd, character):
    """A file that is taken for one that is not there would be replaced although it must not be."""
    server, name = pyftpd(), f"a{character}b"
    (server.root / name).write_bytes(b"before")
    with open_ftp(server.target()) as far:
        with pytest.raises(Exists):
            fill(far.writer(name, token=TOKEN, if_exists="fail"), b"after").commit()
        assert read(far, far.stat(name)) == b"before"
    assert (server.root / name).read_bytes() == b"before"


@pytest.mark.parametrize("facts", [True, False])
def test_a_name_that_is_listed_twice_is_one_file(pyftpd, tmp_path, facts):
    """A name with a line's end in it looks like two, of which one may be that of another file."""
    with contextlib.ExitStack() as running:
        target = pyftpd().target() if facts else running.enter_context(vsftpd(tmp_path))
        for name in ("ok", "ok\nok"):
            (tmp_path / "root" / name).write_bytes(name.encode())
        with open_ftp(target) as far:
            skipped = []
            (entry,) = far.list(ALL, skipped=lambda path, why: skipped.append((path, why)))
            assert read(far, entry) == b"ok"
    assert ("ok", "is listed twice, because another name holds a line's end") in skipped


def test_a_line_end_in_a_name_is_refused(pyftpd):
    """No name can smuggle a second command into the connection."""
    server = pyftpd()
    with open_ftp(server.target()) as endpoint:
        for name in ("a\r\nDELE b", "a\nb", "a\rb"):
            with pytest.raises(TransferError):
                endpoint.writer(name, token=TOKEN).begin()
    assert names(server) == []


DIGITS = b"9" * 5000


def test_sizes_of_thousands_of_digits_are_no_sizes():
    """A number that Python does not read is no error of ours."""
    facts = b"type=file;size=" + DIGITS + b";modify=20200101000000; a\r\n"
    with LyingFtp(listing=facts) as server, open_ftp(server.target()) as endpoint:
        assert list(endpoint.list(ALL)) == [
            Entry("a", modified_at=1_577_836_800_000, version=f"{DIGITS.decode()}:20200101000000:")
        ]
    lines = b"-rw-r--r-- 1 a b " + DIGITS + b" Jan 1 10:00 a\r\n-rw-r--r-- 1 a b 7 Jan 1 10:00 b\r\n"
    answers = {"FEAT": NO_FACTS, "SIZE": b"213 " + DIGITS + b"\r\n"}
    with LyingFtp(listing=lines, answers=answers) as server, open_ftp(server.target()) as endpoint:
        assert list(endpoint.list(ALL)) == [Entry("b", 7)]
        assert endpoint.stat("b").size is None


@pytest.mark.parametrize(
    "start", [b"-rw-r--r-- ", b"-rw-r--r-- 1", b"01-01-20 10:10", b"01-01-20 10:10 <DIR>", b"total "]
)
@pytest.mark.parametrize("filler", [b"1", b" ", b" 1", b"1 Jan 1 "])
def test_a_line_of_any_length_is_read_in_time_that_grows_with_its_length(start, filler):
    """Expressions that try every cut would keep the process busy for minutes."""
    line = start + filler * 50_000 + b"\r\n"
    since = Stopwatch()
    with LyingFtp(listing=line, answers={"FEAT": NO_FACTS}) as server, open_ftp(server.target()) as endpoint:
        assert len(list(endpoint.list(ALL))) <= 1
    assert since.seconds < 5


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({"PASV": b"227 passive (127,0,0,1,999,999)\r\n"}, "names the data port 256743"),
        ({"PASV": b"500 what?\r\n", "EPSV": b"229 here (|||abc|)\r\n"}, "names no data port"),
        ({"PASV": b"500 what?\r\n", "EPSV": b"229 here\r\n"}, "broke"),
        ({"PASV": b"227 passive\r\n"}, "broke"),
    ],
)
def test_a_server_that_names_no_data_port_is_a_broken_connection(answers, words):
    """The error is no complaint about the file's name, and none of ftplib's own."""
    with LyingFtp(answers=answers) as server, pytest.raises(Transient, match=words):
        list(open_ftp(server.target()).list(ALL))


def test_a_server_that_does_not_tell_the_folder_of_the_login_has_the_root():
    """250 instead of 257 is an answer without a path."""
    with LyingFtp(answers={"PWD": b"250 fine\r\n"}) as server, open_ftp(server.target()) as endpoint:
        assert list(endpoint.list(ALL)) == []


def test_an_answer_without_an_end_is_given_up():
    """The lines of a greeting do not fill the memory."""
    too_long = pytest.raises(Transient, match="an answer has more than 1048576 bytes")
    with LyingFtp(greeting=b"220-hello\r\n", endless=True) as server, too_long:
        open_ftp(server.target())
