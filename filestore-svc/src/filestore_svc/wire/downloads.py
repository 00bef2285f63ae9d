"""Render downloads: the headers of a file, and the response to its conditions and ranges."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote

from flask import Response
from werkzeug.http import http_date
from werkzeug.wsgi import FileWrapper

from filestore_svc.domain.files import StoredFile
from filestore_svc.wire import conditions
from filestore_svc.wire.headers import repr_digest
from mft_common import environ_keys

_BLOCK = 1 << 18
# A GET with none of these gets the whole file.
_CONDITIONS: Final = (
    "HTTP_RANGE",
    "HTTP_IF_MATCH",
    "HTTP_IF_NONE_MATCH",
    "HTTP_IF_MODIFIED_SINCE",
    "HTTP_IF_UNMODIFIED_SINCE",
)
_last_modified = functools.lru_cache(4096)(http_date)


@functools.lru_cache(4096)
def _disposition(name: str) -> str:
    """Name the file twice: in ASCII for clients that know no other way, then as it is (RFC 6266 appendix D)."""
    plain = "".join(each if each.isascii() and each not in '"\\' else "_" for each in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def unconditional(environ: Mapping[str, Any]) -> bool:
    """Say whether the request is a GET of the whole file without any condition."""
    return environ["REQUEST_METHOD"] == "GET" and not any(name in environ for name in _CONDITIONS)


def headers(file: StoredFile) -> list[tuple[str, str]]:
    """Return the headers of the whole file (S27)."""
    return [
        ("Content-Type", file.datatype),
        ("Content-Length", str(file.size)),
        ("ETag", f'"{file.etag}"'),
        ("Repr-Digest", repr_digest(file.sha256)),
        ("Content-Disposition", _disposition(file.name)),
        ("X-Content-Type-Options", "nosniff"),
        ("Cache-Control", "private, no-cache"),
        ("Accept-Ranges", "bytes"),
        ("Last-Modified", _last_modified(file.modified_at // 1000)),
    ]


def response(
    environ: Mapping[str, Any],
    file: StoredFile,
    send: Callable[[int, int], Any],
    extra: Mapping[str, str],
    now: int,
) -> Response:
    """Render GET or HEAD of a file: 200, 206 or 304 (S27). `send(start, stop)` opens the bytes when they are needed.

    PreconditionFailed, RangeNotSatisfiable.
    """
    rendered = Response((), 200, headers(file), direct_passthrough=True)
    rendered.headers.update(extra)
    rendered.automatically_set_content_length = False
    if conditions.unchanged(environ, file, now):
        rendered.status_code = 304
        return rendered
    if environ["REQUEST_METHOD"] == "HEAD":
        return rendered
    wanted = conditions.range_of(environ, file, now)
    if wanted is not None:
        rendered.status_code = 206
        rendered.headers["Content-Length"] = str(wanted[1] - wanted[0])
        rendered.headers["Content-Range"] = f"bytes {wanted[0]}-{wanted[1] - 1}/{file.size}"
    body = send(*(wanted or (0, file.size)))
    if environ_keys.FINISHED in environ:
        body.report_to(environ[environ_keys.FINISHED])
    rendered.response = environ.get("wsgi.file_wrapper", FileWrapper)(body, _BLOCK)
    return rendered
