"""Write the head of an answer that sends a file, and decide which of its bytes are sent."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from flask import Response
from werkzeug.wsgi import FileWrapper

from filestore_svc.domain.files import StoredFile
from filestore_svc.wire.headers import repr_digest, without_odd_range

_BLOCK = 1 << 18


def answer(
    environ: Mapping[str, Any], file: StoredFile, send: Callable[[int, int], Any], extra: Mapping[str, str]
) -> Response:
    """Answer GET or HEAD for a file: 200, 206 or 304; `send(start, stop)` opens the bytes, once they are needed (S27).

    werkzeug decides by the headers; RequestedRangeNotSatisfiable is its 416.
    """
    response = Response((), 200, direct_passthrough=True)
    response.automatically_set_content_length = False
    response.headers.update(
        {
            "Content-Type": file.datatype,
            "Content-Length": str(file.size),
            "ETag": f'"{file.etag}"',
            "Repr-Digest": repr_digest(file.sha256),
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(file.name, safe='')}",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "private, no-cache",
            **extra,
        }
    )
    response.last_modified = datetime.fromtimestamp(file.modified_at // 1000, UTC)
    response.make_conditional(without_odd_range(environ), accept_ranges=True, complete_length=file.size)
    if response.status_code in (304, 412) or environ["REQUEST_METHOD"] == "HEAD":
        response.response = ()
        return response
    start = response.content_range.start or 0
    stop = file.size if response.status_code == 200 else response.content_range.stop or 0
    body = send(start, stop)
    if "crossdock.finished" in environ:
        body.told_by(environ["crossdock.finished"])
    response.response = environ.get("wsgi.file_wrapper", FileWrapper)(body, _BLOCK)
    return response
