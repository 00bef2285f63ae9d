"""Filestores for the tests of the filestore endpoint: a double of the internal interface, and the real one."""

import hashlib
import json
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import parse_qs, quote

from mft_common.identity import Signer
from mft_common.identity_reader import IdentityReader
from tests.service.filestore_svc.filestore_lab import Lab, identity_of

Answer = tuple[int, list[tuple[str, str]], bytes]


class FakeFilestore:
    """A filestore in a dictionary: path -> (fileset, content). `answer` replaces every answer while it is set."""

    def __init__(self, signer: Signer | None = None) -> None:
        self.files: dict[str, tuple[int, bytes]] = {}
        self.uploads: dict[str, dict[str, Any]] = {}
        self.count = 0
        self.signer = signer
        self.callers: set[tuple[str | None, str | None]] = set()
        self.answer: Answer | None = None

    def put(self, path: str, content: bytes) -> None:
        """Store a file."""
        self.count += 1
        self.files[path] = (self.count, content)

    def content(self, path: str) -> bytes | None:
        """Return what a file holds, None where there is none."""
        return self.files.get(path, (0, None))[1]

    def unfinished(self) -> int:
        """Return how many uploads were not committed."""
        return sum(1 for upload in self.uploads.values() if upload["stored"] is None)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        """Answer a request as WSGI says."""
        identity = IdentityReader("filestore-svc", self.signer).read(environ)
        self.callers.add((identity.account, identity.transfer_id))
        kind, path = environ["PATH_INFO"].encode("latin-1").decode().removeprefix("/internal/v1/").split("/", 1)
        query = {name: values[0] for name, values in parse_qs(environ["QUERY_STRING"], keep_blank_values=True).items()}
        status, headers, body = self.answer or getattr(self, f"_{kind}")(environ, path, query)
        start_response(f"{status} Said", [("Content-Length", str(len(body))), *headers])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    def _folders(self, _environ: dict[str, Any], folder: str, query: dict[str, str]) -> Answer:
        rows = []
        for path, (fileset, content) in sorted(self.files.items()):
            name = path.removeprefix(f"/{folder}/")
            if fnmatchcase(name, query["pattern"]) and name > query["after"]:
                row = {"path": path, "name": name, "fileset": fileset, "size": len(content), "modified_at": 5}
                rows.append({**row, "sha256": hashlib.sha256(content).hexdigest()})
        return _json(200, {"files": rows[: int(query["limit"])]})

    def _files(self, environ: dict[str, Any], path: str, query: dict[str, str]) -> Answer:
        fileset, content = self.files.get(f"/{path}", (0, b""))
        if not fileset:
            return _refusal(404, "no such file")
        if environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            headers = [("X-Sha256", hashlib.sha256(content).hexdigest()), ("X-Fileset", str(fileset))]
            return 200, headers, content
        if query.get("fileset", str(fileset)) != str(fileset):
            return _refusal(409, "another fileset")
        del self.files[f"/{path}"]
        return _json(200, {})

    def _uploads(self, environ: dict[str, Any], path: str, query: dict[str, str]) -> Answer:
        if environ["REQUEST_METHOD"] == "DELETE":
            gone = [
                key
                for key, each in self.uploads.items()
                if each["token"] == query["token"] and not each["stored"] and f"{each['path']}/".startswith(f"/{path}/")
            ]
            return _json(200, {"removed": [self.uploads.pop(key)["path"].rpartition("/")[2] for key in gone]})
        fails = environ["HTTP_X_IF_EXISTS"] == "fail"
        if fails and f"/{path}" in self.files:
            return _refusal(409, "exists already")
        key = f"upload{len(self.uploads)}"
        self.uploads[key] = {
            "path": f"/{path}", "length": int(environ["HTTP_UPLOAD_LENGTH"]), "token": environ["HTTP_X_TOKEN"],
            "fails": fails, "content": b"", "stored": None,
        }  # fmt: skip
        return _json(201, {"upload": key})

    def _upload(self, environ: dict[str, Any], path: str, _query: dict[str, str]) -> Answer:
        key, _, step = path.partition("/")
        upload = self.uploads.get(key)
        if upload is None:
            return _refusal(404, "no such upload")
        if environ["REQUEST_METHOD"] == "PATCH":
            upload["content"] += environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
            return _json(200, {"offset": len(upload["content"])})
        if environ["REQUEST_METHOD"] == "DELETE":
            return _json(200, {"stored": self.uploads.pop(key)["stored"]})
        if environ["REQUEST_METHOD"] == "GET":
            return _json(200, {"received": len(upload["content"])})
        if len(upload["content"]) != upload["length"]:
            return _refusal(409, "not complete")
        if step == "seal":
            digest = hashlib.sha256(upload["content"]).hexdigest()
            return _json(200, {"size": upload["length"], "sha256": digest})
        return self._commit(upload)

    def _commit(self, upload: dict[str, Any]) -> Answer:
        if upload["stored"] is None:
            former = self.files.get(upload["path"], (None, b""))[0]
            if former and upload["fails"]:
                return _refusal(409, "exists already")
            self.put(upload["path"], upload["content"])
            digest = hashlib.sha256(upload["content"]).hexdigest()
            upload["stored"] = {
                "fileset": self.count, "size": upload["length"], "sha256": digest, "replaced": former,
            }  # fmt: skip
        return _json(201, upload["stored"])


def _json(status: int, body: Any) -> Answer:
    return status, [], json.dumps(body).encode()


def _refusal(status: int, message: str) -> Answer:
    return _json(status, {"error": "io", "message": message})


class RealFilestore:
    """filestore-svc itself, with the methods of the double."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.callers: set[tuple[str | None, str | None]] = set()

    def put(self, path: str, content: bytes) -> None:
        """Store a file."""
        assert self.lab.put(f"/2.0/files{quote(path)}", content).status_code == 201

    def content(self, path: str) -> bytes | None:
        """Return what a file holds, None where there is none."""
        answer = self.lab.call("GET", f"/internal/v1/files{quote(path)}", who=identity_of("system", mechanism="none"))
        return answer.data if answer.status_code == 200 else None

    def unfinished(self) -> int:
        """Return how many uploads were not committed."""
        with self.lab.service.database.read() as connection:
            query = "SELECT count(*) FROM resumable_uploads WHERE state <> 'complete'"
            return int(connection.exec_driver_sql(query).scalar() or 0)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        """Answer a request as WSGI says."""
        identity = self.lab.service.identities.read(environ)
        self.callers.add((identity.account, identity.transfer_id))
        return self.lab.client.application(environ, start_response)
