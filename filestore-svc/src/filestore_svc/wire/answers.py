"""Write answers in the vendor's form: the envelope, the cookies, a listing."""

import json
from typing import Any, Final
from urllib.parse import quote

from flask import Response

from filestore_svc.domain.files import FIXED, StoredFile
from filestore_svc.domain.listing import Child, Listing
from mft_common import clock

# What a cookie's value may hold (RFC 6265), without the percent sign that marks what it may not.
_COOKIE_SAFE = "!#$&'()*+-./:<=>?@[]^_`{|}~"


_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def as_json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Render JSON in UTF-8."""
    return Response(_encode(value).encode("utf-8", "replace"), status, headers, content_type="application/json")


def done(message: str, fileset: int, status: int = 200, *, timestamp: bool = True) -> Response:
    """Render the envelope of success (C3, D5)."""
    return Response(done_body(message, fileset, timestamp=timestamp), status, content_type="application/json")


def done_body(message: str, fileset: int, *, timestamp: bool = True) -> bytes:
    """Render the envelope of success without its head, members in the printed order (C3, D5)."""
    when = {"timestamp": clock.iso(clock.now_ms())} if timestamp else {}
    return _encode({"result": "ok", **when, "message": message, "fileset": fileset}).encode()


def failed(status: int, message: str, error_type: str, *, timestamp: bool, headers: dict[str, str]) -> Response:
    """Render the envelope of failure, with or without its timestamp (C1, C2)."""
    envelope = {"result": "failed"}
    if timestamp:
        envelope["timestamp"] = clock.iso(clock.now_ms())
    return as_json(envelope | {"message": message, "errorType": error_type}, status, headers)


def logged_in(user: str, token: str, suffix: str) -> Response:
    """Render the answer of a login: two cookie lines by hand, since werkzeug's have another order (2)."""
    response = Response(b"", 200)
    del response.headers["Content-Type"]
    for name, value in (("sp-http-usr", quote(user, safe=_COOKIE_SAFE)), ("sp-http-ses", token)):
        response.headers.add("Set-Cookie", f"{name}={value};Version=1;Path=/;HttpOnly{suffix}")
    return response


def logged_out(suffix: str) -> Response:
    """Render the answer of a logout: both cookies, expired (X3)."""
    response = Response(b"", 200)
    del response.headers["Content-Type"]
    for name in ("sp-http-usr", "sp-http-ses"):
        gone = "Max-Age=0;Expires=Thu, 01 Jan 1970 00:00:00 GMT"
        response.headers.add("Set-Cookie", f"{name}=;Version=1;Path=/;{gone};HttpOnly{suffix}")
    return response


def metadata(file: StoredFile, base: str) -> Response:
    """Render what is known of a file: a bare object, the ten fixed attributes first (53)."""
    return as_json(
        {
            "id": file.path,
            "uri": uri(base, "files", file.path),
            "metaUri": uri(base, "metadata", file.path),
            "filename": file.name,
            "fileset": file.fileset,
            "metadata": file.attributes(),
        }
    )


def made(uri: str) -> Response:
    """Render the answer to the making of a folder (X2)."""
    body = {"result": "ok", "timestamp": clock.iso(clock.now_ms()), "message": "Folder created"}
    return as_json(body, 201, {"Location": uri})


def uri(base: str, kind: str, path: str) -> str:
    """Return the absolute address of a path, its segments percent-encoded (S30)."""
    return f"{base}/2.0/{kind}{quote(path, safe='/')}"


def described(file: StoredFile) -> dict[str, Any]:
    """Return what the internal interface tells of a file."""
    return {
        "path": file.path,
        "name": file.name,
        "fileset": file.fileset,
        "size": file.size,
        "sha256": file.sha256,
        "modified_at": file.modified_at,
    }


def listing(found: Listing, base: str, attributes: tuple[str, ...], *, show_owner: bool) -> Response:
    """Render a listing: exactly `uri`, `totalCount` (a text) and `files` (80 to 84)."""
    return as_json(
        {
            "uri": uri(base, "directories", found.path),
            "totalCount": str(found.total),
            "files": [_child(child, found.path, base, attributes, show_owner=show_owner) for child in found.children],
        }
    )


def _child(child: Child, parent: str, base: str, names: tuple[str, ...], *, show_owner: bool) -> dict[str, Any]:
    path = f"{parent}/{child.name}"
    if child.file is None:
        return {
            "id": path,
            "uri": uri(base, "directories", path),
            "filename": child.name,
            "owner": "",
            "directory": True,
            "attributes": dict.fromkeys(names, ""),
        }
    return {
        "id": path,
        "uri": uri(base, "files", path),
        "metaUri": uri(base, "metadata", path),
        "filename": child.name,
        "fileset": child.file.fileset,
        "owner": child.file.owner if show_owner else "",
        "directory": False,
        "attributes": _attributes(child.file, names),
    }


def _attributes(file: StoredFile, names: tuple[str, ...]) -> dict[str, str]:
    values = file.attributes()
    if names is not FIXED:
        # Nobody's own attribute of that name may pass for the digest that was computed here.
        values["sha256"] = file.sha256
    return {name: values.get(name, "") for name in names}
