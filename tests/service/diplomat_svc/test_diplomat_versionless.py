"""Further attempts of jobs whose source lists its files without versions: nothing is delivered twice (E22)."""

import contextlib
import functools
import http.server
import threading

import pytest

from tests.servers.diplomat_jobs import dock, log, tree
from tests.servers.processes import wait_until
from tests.servers.vsftpd import Vsftpd
from tests.service.diplomat_svc.cut_attempts import kill_child


class _Quiet(http.server.SimpleHTTPRequestHandler):
    """A server whose answers have no ETag."""

    def log_message(self, *_arguments):
        """Say nothing."""


@contextlib.contextmanager
def over_http(root, _folder):
    """Yield the endpoint of a web server of a folder."""
    handler = functools.partial(_Quiet, directory=str(root))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield {"url": f"http://127.0.0.1:{server.server_port}/"}
        server.shutdown()
        thread.join()


@contextlib.contextmanager
def over_ftp(root, folder):
    """Yield the endpoint of a server without MLSD: a listing has names alone."""
    with Vsftpd(folder / "vsftpd", root) as server:
        (folder / "password").write_text(server.password)
        url = f"ftp://anonymous@localhost:{server.port}{root}"
        yield {"url": url, "password": {"file": str(folder / "password")}}


@pytest.fixture(params=[over_http, over_ftp])
def made(request, hub, transaction, tmp_path):
    """Return a hub whose job has delivered `a` in its first attempt and not `b`, and waits for its second one."""
    root, now = tmp_path / "far", [1_000_000]
    root.mkdir()
    for name in ("a", "b"):
        (root / name).write_bytes(name.encode())
    with request.param(root, tmp_path) as far:
        source = {"url": "endpoint:far", "files": ["a", "b"]}
        one = transaction("one", source=source, retries={"file": 0, "job": 1, "job_delay": "10m"})
        made = dock(hub, {}, one, clock=lambda: now[0], endpoints={"far": far})
        (made.data / "to" / "b").mkdir()
        with made.work():
            made.run("one")
            wait_until(lambda: made.rows("SELECT 1 FROM jobs WHERE attempt = 2 AND status = 'Queued'"))
        assert tree(made.data / "to") == {"a": b"a"}, log(made)
        (made.data / "to" / "a").unlink()
        (made.data / "to" / "b").rmdir()
        now[0] += 700_000
        yield made


def ended(made):
    """Let the second attempt run to its end; return what is at the destination."""
    with made.work():
        assert made.finished("one").findtext("completionStatus") == "Successful", log(made)
    return tree(made.data / "to")


def test_the_same_content_is_not_delivered_again(made):
    """The partner has taken it: the destination stays without it."""
    assert ended(made) == {"b": b"b"}


def test_another_content_of_the_same_size_is_delivered(made):
    """It is a new version of the file, which the partner has not got."""
    wait_until(lambda: _rewritten(made.data / "far" / "a"))
    assert ended(made) == {"a": b"c", "b": b"b"}


def _rewritten(path):
    """Write another content, and return whether its time is of another second: MDTM of FTP tells no parts of one."""
    before = path.stat().st_mtime
    path.write_bytes(b"c")
    return int(path.stat().st_mtime) != int(before)


def test_a_newer_file_than_the_one_that_was_compared_is_not_deleted_e24(hub, transaction, runner, tmp_path):
    """The second attempt has found that `a` is delivered, and moves `b`, when a newer `a` of the same size comes."""
    root, now = tmp_path / "far", [1_000_000]
    root.mkdir()
    (root / "a").write_bytes(b"a")
    (root / "b").write_bytes(bytes(256 << 10))
    with over_ftp(root, tmp_path) as far:
        source = {"url": "endpoint:far", "files": ["a", "b"]}
        retries = {"file": 0, "job": 1, "job_delay": "10m"}
        one = transaction("one", source=source, retries=retries, bandwidth="64KiB/s", delete_source=True)
        made = dock(hub, {}, one, clock=lambda: now[0], endpoints={"far": far})
        kill_child(made, runner, lambda: list((made.data / "to").glob(".b.*.part")))
        assert [row.source for row in made.rows("SELECT source FROM files WHERE completion = 'Successful'")] == ["a"]
        now[0] += 700_000
        with made.work():
            wait_until(lambda: sum("; Found 2 file" in text for text in log(made)) == 2)
            wait_until(lambda: _rewritten(root / "a"))
            assert not (made.data / "to" / "b").exists(), "the attempt is still at work"
            assert made.finished("one").findtext("completionStatus") == "Warning"
    assert tree(root) == {"a": b"c"}
    assert any("The source was not deleted: a: changed since it was read" in text for text in log(made))
