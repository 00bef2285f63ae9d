"""Build filestore-svc for tests: in this process behind a fake gateway, or as a real server of its own."""

import io
import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

import requests

from filestore_svc import bootstrap
from filestore_svc.app import create_app
from filestore_svc.settings import Settings
from mft_common import clock, environ_keys, ids
from mft_common.directory import Account, Opened, Session, Throttled, Wrong
from mft_common.identity import HEADER, Identity, Signer
from tests.servers.made_secrets import secret
from tests.servers.outboxes import ROWS, read_events
from tests.servers.processes import free_port, wait_until
from tests.servers.programs import Program

ALL = ["list", "read", "write", "delete"]
SECTION: dict[str, Any] = {
    "contracts": {"std": {}},
    "folders": {
        "/in": {"access": {"part1": ALL}},
        "/in/sub": {},
        "/in/closed": {"access": {}},
        "/out": {"access": {"part1": ALL}},
        "/inbox": {"access": {"part1": ALL, "reader1": ["list", "read"]}},
    },
}
KEY = secret("key-of-filestore")
BASE = "http://hub.test:8080"
TRANSFER = "414D5120514D312020202020202020203F0C71A200000017"


def identity_of(account: str | None, **more: Any) -> Identity:
    """Return the identity that the gateway makes for an account with the contract `std`."""
    grant = {"contract": "std"} if account not in (None, "nocontract", "system") else None
    reason = "absent" if account is None else None
    fields = {"request_id": ids.new_request_id(), "address": "192.0.2.1", "base_url": BASE, "mechanism": "form"}
    return Identity(**{**fields, "account": account, "grant": grant, "reason": reason, **more})


class Accounts:
    """A directory of one account; `part2` is throttled."""

    def __init__(self) -> None:
        self.opened: list[dict[str, Any]] = []
        self.closed: list[tuple[str, str]] = []

    def verify(self, service: str, name: str, password: str, address: str) -> Account | Wrong | Throttled:
        """Know `part1` alone."""
        if name == "part2":
            return Throttled(15)
        return Account(name=name) if (name, password) == ("part1", "partner1") else Wrong()

    def open_session(self, **asked: Any) -> Opened:
        """Remember what was asked."""
        self.opened.append(asked)
        session = Session(public_id="1", service=asked["service"], account=asked["account"])
        return Opened("AAAAAAAAAAAAAAAAAAAAAA==", session)

    def close_session(self, service: str, public_id: str) -> bool:
        """Remember what was closed."""
        self.closed.append((service, public_id))
        return True


class Lab:
    """The service in this process, and requests to it as anybody."""

    def __init__(
        self, data: Path, *, database_url: str = "", settings: Settings | None = None, own_leases: bool = True,
        **section: Any,
    ) -> None:  # fmt: skip
        self.accounts = Accounts()
        self.ahead = 0
        self.clock: int | None = None
        # Whether `later` moves the clock of the leases too, which is else the database's own.
        self.own_leases = own_leases
        self.settings = settings or Settings(data=str(data), database_url=database_url)
        self.document = {"http_mft": {**SECTION, **section}}
        self.open()

    def open(self) -> None:
        """Build the service anew over the same data."""
        self.service = bootstrap.build(
            self.settings,
            directory=self.accounts,
            config=self.document,
            now=self._now,
            lease_clock=self._now if self.own_leases else None,
        )
        self.client = create_app(self.service).test_client()

    def _now(self) -> int:
        return (clock.now_ms() if self.clock is None else self.clock) + self.ahead

    def later(self, *, hours: float) -> None:
        """Set the service's clock ahead."""
        self.ahead += int(hours * 3_600_000)

    def call(
        self, method: str, path: str, account: str | None = "part1", *, who: Identity | None = None, **more: Any
    ) -> Any:
        """Send a request; `path` goes into the request line as it is."""
        environ = {environ_keys.IDENTITY: who or identity_of(account), "RAW_URI": path, **more.pop("environ", {})}
        answer = self.client.open(path, method=method, environ_overrides=environ, buffered=True, **more)
        answer.close()
        return answer

    def put(self, path: str, content: bytes = b"hello", account: str | None = "part1", **more: Any) -> Any:
        """Upload by PUT."""
        kind = more.pop("datatype", "text/plain")
        data = {"file": (io.BytesIO(content), "sent.txt", kind), **more.pop("parts", {})}
        return self.call("PUT", path, account, data=data, content_type="multipart/form-data", **more)

    def store(self, path: str, content: bytes, who: Identity, **headers: str) -> Any:
        """Store a file by the internal interface; return the first refusal, after which the upload is aborted."""
        told = {"Upload-Length": str(len(content)), **{name.replace("_", "-"): text for name, text in headers.items()}}
        answer = self.call("POST", f"/internal/v1/uploads{path}", who=who, headers=told)
        if answer.status_code != 201:
            return answer
        upload = f"/internal/v1/upload/{answer.json['upload']}"
        piece: dict[str, Any] = {"data": content, "headers": {"Upload-Offset": "0"}}
        for method, step, more in (("PATCH", "", piece), ("POST", "/seal", {}), ("POST", "/commit", {})):
            answer = self.call(method, upload + step, who=who, **more)
            if answer.status_code not in (200, 201):
                self.call("DELETE", upload, who=who)
                break
        return answer

    def get(self, path: str, account: str | None = "part1", **more: Any) -> Any:
        """Download, or list."""
        return self.call("GET", path, account, **more)

    def events(self, *types: str) -> list[dict[str, Any]]:
        """Return the data of what is in the outbox, after all records have been committed."""
        self.service.recorder.flush()
        with self.service.database.read() as connection:
            events = read_events("filestore-svc", connection.exec_driver_sql(ROWS))
        found = [{"type": one.type, "correlationid": one.correlationid, **one.data.to_data()} for one in events]
        return [each for each in found if not types or each["type"] in types]

    def leftovers(self) -> list[Path]:
        """Return what lies in the staging folder."""
        return list((self.settings.state / "staging").iterdir())

    def blobs(self) -> list[Path]:
        """Return all blobs."""
        return [path for path in (self.settings.state / "blobs").rglob("*") if path.is_file()]

    def close(self) -> None:
        """Close the service."""
        self.service.close()


class Server:
    """filestore-svc as it runs without a gateway in its process: gunicorn with threads, in a group of its own."""

    def __init__(self, folder: Path, *, processes: int = 1, **section: Any) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.state = folder / "data/state/filestore-svc"
        self.signer = Signer([KEY])
        config = folder / "crossdock.yaml"
        config.write_text(json.dumps({"http_mft": {**SECTION, **section}}))
        env = {
            **os.environ,
            "MFT_DATA": str(folder / "data"),
            "MFT_CONFIG": str(config),
            "MFT_INTERNAL_KEYS": KEY,
            "MFT_GATEWAY_URL": "http://127.0.0.1:1",
            "MFT_LISTEN": f"127.0.0.1:{self.port}",
            "MFT_WEB_PROCESSES": str(processes),
            "MFT_WEB_THREADS": "8",
        }
        gunicorn = Path(sys.executable).parent / "gunicorn"
        command = [gunicorn, "-c", "python:mft_common.process.gunicorn_conf", "filestore_svc.app:create_app()"]
        self.program = Program(command, folder / "server.log", env=env)

    def start(self) -> "Server":
        """Start it and wait until it answers."""
        self.program.start()
        wait_until(self._ready, within=30, what="a ready filestore-svc")
        return self

    def _ready(self) -> bool:
        assert self.program.running(), self.program.tail()
        try:
            return requests.get(f"{self.url}/readyz", timeout=5).status_code == 200
        except requests.RequestException:
            return False

    def headers(self, account: str = "part1", **more: Any) -> dict[str, str]:
        """Return the header that the gateway signs."""
        return {HEADER: self.signer.dumps(identity_of(account, **more), "filestore-svc")}

    def put(self, path: str, content: bytes, **more: Any) -> requests.Response:
        """Upload by PUT."""
        return requests.put(
            f"{self.url}/2.0/files{path}", files={"file": content}, headers=self.headers(), timeout=30, **more
        )

    def get(self, path: str, **more: Any) -> requests.Response:
        """Ask for anything."""
        return requests.get(f"{self.url}{path}", headers=self.headers(), timeout=30, **more)

    def names(self, folder: str = "/in") -> dict[str, dict[str, Any]]:
        """Return what a folder lists, by name."""
        answer = self.get(f"/2.0/directories{folder}?limit=10000&type=files&attributes=size,sha256")
        return {each["filename"]: each for each in answer.json()["files"]}

    def connect(self) -> socket.socket:
        """Open a connection for bytes that no client library would send."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)


def form(content: bytes, boundary: str = "XbX") -> bytes:
    """Return a multipart body with one file."""
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    return head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
