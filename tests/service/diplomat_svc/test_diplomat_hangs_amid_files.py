"""cancel and terminate of jobs whose far side stops in the middle of a file, read or written (41, 42, E7, E8, E27)."""

import contextlib
import os
import signal
import threading

import pytest

from mft_common.process.descendants import with_descendants
from tests.servers.made_secrets import secret
from tests.servers.openssh import OpenSsh
from tests.servers.processes import wait_until
from tests.servers.simple_s3 import Object, SimpleS3
from tests.servers.stopwatch import Stopwatch
from tests.servers.vsftpd import Vsftpd
from tests.servers.web import Web
from tests.service.diplomat_svc.test_diplomat_hangs import ENDS, WITHIN_S

SIZE = 8 << 20
CONTENT = os.urandom(1 << 20) * (SIZE >> 20)
SLOW = {"bandwidth": "1MiB/s", "delete_source": True, "retries": {"file": 0}}
VERSION = {"ETag": '"1"', "Last_Modified": "Sun, 29 Nov 2026 00:00:00 GMT"}
LISTING = (
    '<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>in/x.bin</Key><ETag>"1"</ETag>'
    f"<Size>{SIZE}</Size><LastModified>2026-11-29T00:00:00Z</LastModified></Contents></ListBucketResult>"
)
KINDS = ("sftp", "ftp", "http", "s3")


class _Server:
    """A real server of the folder `far` that is stopped in the middle of a file, as a machine that hangs is."""

    def __init__(self, kind, folder, far):
        self._kind = kind
        if kind == "sftp":
            self._server = OpenSsh(folder / "sshd")
            key = {"file": str(self._server.key_path)}
            self._url = f"sftp://{self._server.user}@127.0.0.1:{{port}}{far}"
            self._more = lambda: {"key": key, "host_key": self._server.host_keys["ed25519"]}
        else:
            self._server = Vsftpd(folder / "vsftpd", far)
            (folder / "password").write_text(self._server.password)
            self._url = f"ftp://anonymous@localhost:{{port}}{far}"
            self._more = lambda: {"password": {"file": str(folder / "password")}}
        self._far, self._stopped = far, list[int]()

    def __enter__(self):
        self._server.__enter__()
        return self

    def __exit__(self, *_):
        self.go_on()
        self._server.__exit__(None, None, None)

    @property
    def section(self):
        """The section of the endpoint."""
        return {"url": self._url.format(port=self._server.port), **self._more()}

    def hang(self, made, download):
        """Stop the server once a part of the file is at the other side."""
        place = made.data / "to" if download else self._far
        wait_until(lambda: any(path.stat().st_size > 64 << 10 for path in place.glob(".x.bin.*.part")), what="bytes")
        self._stopped = with_descendants([self._server.pid if self._kind == "sftp" else self._server.program.pid])
        for pid in self._stopped:
            os.kill(pid, signal.SIGSTOP)

    def go_on(self):
        """Let the server work again."""
        for pid in self._stopped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self._stopped = []

    def delivered(self):
        """Return whether the file is there under its name."""
        return (self._far / "x.bin").exists()

    def left(self):
        """Return the names of unfinished files."""
        return [path.name for path in self._far.glob(".*.part")]


class _Store:
    """A web server or a bucket that stops in the middle of the body of a request or an answer."""

    def __init__(self, kind, folder, _far):
        self._kind, self._over, self._reached = kind, threading.Event(), threading.Event()
        self._web, self._bucket, self._password = Web(self._respond), SimpleS3(), folder / "secret"
        self._password.write_text(secret("secret of a bucket"))
        self._bucket.objects["in/x.bin"] = Object(CONTENT)

    def __enter__(self):
        self._web.__enter__()
        return self

    def __exit__(self, *_):
        self.go_on()
        self._web.__exit__(None, None, None)

    @property
    def section(self):
        """The section of the endpoint."""
        if self._kind == "http":
            return {"url": f"{self._web.url}/in"}
        known = {"file": str(self._password)}
        return {"url": "s3://bucket/in", "endpoint": self._web.url, "key_id": known, "secret": known}

    def _respond(self, request):
        if self._over.is_set():
            request.answer(503)
        elif request.command == "PUT":
            request.rfile.read(64 << 10)
            self._hang()
        elif "list-type" in request.path:
            request.answer(200, LISTING.encode(), Content_Type="application/xml")
        elif request.command == "GET" and "x.bin" in request.path:
            request.raw(200, CONTENT[: SIZE // 2], Content_Length=str(SIZE), **VERSION)
            self._hang()
        elif self._kind == "http":
            request.raw(200, Content_Length=str(SIZE), **VERSION)
        else:
            self._bucket(request)

    def _hang(self):
        self._reached.set()
        self._over.wait(60)

    def hang(self, _made, _download):
        """Wait until the server has stopped by itself."""
        wait_until(self._reached.is_set, what="the middle of the file")

    def go_on(self):
        """Let requests that hang end."""
        self._over.set()

    def delivered(self):
        """Return whether a file was stored."""
        return list(self._bucket.objects) != ["in/x.bin"]

    def left(self):
        """Return the uploads that are not over."""
        return list(self._bucket.uploads)


@pytest.mark.parametrize(
    ("request_kind", "kind", "download"),
    [
        *(("terminate", kind, download) for kind in KINDS for download in (False, True)),
        *(("cancel", kind, False) for kind in ("sftp", "s3")),
    ],
)
def test_a_job_that_hangs_in_the_middle_of_a_file_is_stopped_41_42_e7_e8_e27(
    hub, transaction, runner, tmp_path, kind, download, request_kind
):
    """Terminated within 2 s: nothing has the final name, the source stays, and no process and no part is left."""
    far = tmp_path / "far"
    far.mkdir()
    with (_Server if kind in ("sftp", "ftp") else _Store)(kind, tmp_path, far) as server:
        side = {"url": "endpoint:far", **({"files": ["x.bin"]} if download else {})}
        one = transaction("one", **{"source" if download else "destination": side}, **SLOW)
        made = hub(one, endpoints={"far": server.section}).log_in()
        place = far if download else made.data / "from"
        (place / "x.bin").write_bytes(CONTENT)
        with made.work():
            made.run("one")
            server.hang(made, download)
            (pid,) = [handle.pid for handle in list(runner._handles) if handle.pid]
            since = Stopwatch()
            assert made.call(request_kind, ("transactionName", "one")).status == 200
            assert made.finished("one").findtext("completionStatus") == ENDS[request_kind]
            took = since.seconds
            wait_until(lambda: not os.path.exists(f"/proc/{pid}"), within=5)  # noqa: PTH110 -- a process, not a file
            server.go_on()
            wait_until(lambda: not server.left(), within=60, what="no unfinished file at the far side")
            wait_until(lambda: not any((made.data / "to").iterdir()), within=60, what="no unfinished file at our side")
    assert took < WITHIN_S[request_kind]
    assert download or not server.delivered()
    assert (place / "x.bin").read_bytes() == CONTENT
