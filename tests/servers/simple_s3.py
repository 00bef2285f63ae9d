"""Be an S3 store that is as simple as old ones, and that can be told to fail: each object and part is kept as it came.

It knows the calls that the endpoint makes, and neither signatures nor aws-chunked bodies.
"""

import hashlib
import secrets
import threading
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import defusedxml.ElementTree

from tests.servers.web import Request


@dataclass
class Object:
    body: bytes
    mark: str = ""
    etag: str = ""

    def __post_init__(self) -> None:
        self.etag = self.etag or f'"{hashlib.md5(self.body).hexdigest()}"'


@dataclass
class Upload:
    key: str
    mark: str
    parts: dict[int, Object] = field(default_factory=dict)


class SimpleS3:
    """The store; call it as a `Web` server's `respond`.

    `lose` names calls (`put`, `create`, `part`, `complete`) whose next answer is lost after they were carried out;
    `refuse` maps calls to the status of their next answer, `always_refuse` to that of each. `conditions` is False for a
    store that refuses If-None-Match, `passes_over` True for one that passes over it. `size_told` is added to the sizes
    that HEAD tells. `time` is the header with the time of an object. `stays` is how many aborts leave a part behind.
    `alter_part` is appended to each part, `body_cut` ends the bodies of GET, `ranges` is False where Range is ignored.
    `opaque` is True where the versions of objects are no MD5. `late` lets the next completion lose its answer, and be
    carried out right before the next completion or abort.
    """

    def __init__(self) -> None:
        self.objects: dict[str, Object] = {}
        self.uploads: dict[str, Upload] = {}
        self.calls: list[str] = []
        self.lose: list[str] = []
        self.refuse: dict[str, int] = {}
        self.always_refuse: dict[str, int] = {}
        self.conditions = True
        self.passes_over = False
        self.size_told = 0
        self.time = {"Last_Modified": "Sat, 28 Nov 2026 20:00:00 GMT"}
        self.stays = 0
        self.alter_part = b""
        self.body_cut: int | None = None
        self.ranges = True
        self.opaque = False
        self.late = False
        self.before_part = lambda _number: None
        self.before_abort = lambda: None
        self.after_put = lambda: None
        self._late: tuple[str, dict[str, str], bytes] | None = None
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> None:
        url = urlsplit(request.path)
        key = unquote(url.path).lstrip("/").partition("/")[2]
        query = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        body = request.body()
        call = _call(request.command, query)
        self.calls.append(call)
        if status := self.refuse.pop(call, 0) or self.always_refuse.get(call, 0):
            _error(request, status, "SlowDown" if status == 503 else "Refused")
            return
        if call == "part":
            self.before_part(int(query["partNumber"]))
        with self._lock:
            if call == "complete" and self.late:
                self.late, self._late = False, (key, query, body)
                return
            if call in ("complete", "abort") and self._late is not None:
                self._complete(_Nowhere(request), *self._late)
                self._late = None
            answer = getattr(self, f"_{call}")
            if call in self.lose:
                self.lose.remove(call)
                answer(_Nowhere(request), key, query, body)
                return
            answer(request, key, query, body)

    def _put(self, request, key, query, body):
        if self._is_refused(request, key):
            return
        version = f'"{secrets.token_hex(16)}x"' if self.opaque else ""
        self.objects[key] = Object(body, request.headers.get("x-amz-meta-crossdock-upload", ""), version)
        etag = self.objects[key].etag
        self.after_put()
        request.answer(200, ETag=etag)

    def _create(self, request, key, query, body):
        upload = secrets.token_hex(8)
        self.uploads[upload] = Upload(key, request.headers.get("x-amz-meta-crossdock-upload", ""))
        _xml(request, "InitiateMultipartUploadResult", f"<Key>{escape(key)}</Key><UploadId>{upload}</UploadId>")

    def _part(self, request, key, query, body):
        if query["uploadId"] not in self.uploads:
            _error(request, 404, "NoSuchUpload")
            return
        part = self.uploads[query["uploadId"]].parts[int(query["partNumber"])] = Object(body + self.alter_part)
        request.answer(200, ETag=part.etag)

    def _parts(self, request, key, query, body):
        if query["uploadId"] not in self.uploads:
            _error(request, 404, "NoSuchUpload")
            return
        parts = sorted(self.uploads[query["uploadId"]].parts.items())
        items = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{escape(part.etag)}</ETag><Size>{len(part.body)}</Size></Part>"
            for number, part in parts
        )
        _xml(request, "ListPartsResult", f"<IsTruncated>false</IsTruncated>{items}")

    def _complete(self, request, key, query, body):
        if query["uploadId"] not in self.uploads:
            _error(request, 404, "NoSuchUpload")
            return
        if self._is_refused(request, key):
            return
        upload = self.uploads.pop(query["uploadId"])
        numbers = [int(each.text) for each in defusedxml.ElementTree.fromstring(body).iter() if "Number" in each.tag]
        content = b"".join(upload.parts[number].body for number in numbers)
        self.objects[key] = Object(content, upload.mark, f'"{secrets.token_hex(16)}-{len(numbers)}"')
        _xml(request, "CompleteMultipartUploadResult", f"<ETag>{escape(self.objects[key].etag)}</ETag>")

    def _abort(self, request, key, query, body):
        self.before_abort()
        if query["uploadId"] not in self.uploads:
            _error(request, 404, "NoSuchUpload")
            return
        if self.stays:
            self.stays -= 1
        else:
            self.uploads.pop(query["uploadId"], None)
        request.answer(204)

    def _unfinished(self, request, key, query, body):
        items = "".join(
            f"<Upload><Key>{escape(upload.key)}</Key><UploadId>{number}</UploadId></Upload>"
            for number, upload in self.uploads.items()
        )
        _xml(request, "ListMultipartUploadsResult", f"<IsTruncated>false</IsTruncated>{items}")

    def _head(self, request, key, query, body):
        if key not in self.objects:
            request.answer(404)
            return
        found = self.objects[key]
        mark = {"x-amz-meta-crossdock-upload": found.mark} if found.mark else {}
        request.answer(
            200,
            Content_Length=str(len(found.body) + self.size_told),
            ETag=found.etag,
            **self.time,
            **mark,
        )

    def _get(self, request, key, query, body):
        found = self.objects[key]
        if request.headers.get("If-Match", found.etag) != found.etag:
            _error(request, 412, "PreconditionFailed")
            return
        start = int(request.headers.get("Range", "bytes=0-")[6:-1]) if self.ranges else 0
        content, size = found.body[start:], len(found.body)
        ranged = {"Content_Range": f"bytes {start}-{size - 1}/{size}"} if start else {}
        request.raw(
            206 if start else 200,
            content[: self.body_cut],
            Content_Length=str(len(content)),
            ETag=found.etag,
            **self.time,
            **ranged,
        )

    def _is_refused(self, request, key):
        if self.passes_over or request.headers.get("If-None-Match") != "*":
            return False
        if not self.conditions:
            _error(request, 501, "NotImplemented")
            return True
        if key in self.objects:
            _error(request, 412, "PreconditionFailed")
            return True
        return False


class _Nowhere:
    """Answers nothing: the connection ends as if the network had failed."""

    def __init__(self, request: Request) -> None:
        self.headers = request.headers

    def answer(self, *_: object, **__: object) -> None:
        pass


def _call(method: str, query: dict[str, str]) -> str:
    if method == "PUT":
        return "part" if "partNumber" in query else "put"
    if method == "POST":
        return "create" if "uploads" in query else "complete"
    if method == "GET":
        return "unfinished" if "uploads" in query else "parts" if "uploadId" in query else "get"
    return {"DELETE": "abort", "HEAD": "head"}[method]


def _xml(request: Request | _Nowhere, name: str, content: str) -> None:
    request.answer(200, f"<{name}>{content}</{name}>".encode(), Content_Type="application/xml")


def _error(request: Request | _Nowhere, status: int, code: str) -> None:
    request.answer(status, f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode())
