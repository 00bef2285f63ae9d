"""Render responses in the vendor's form: the envelope, the cookies, metadata, listings."""

import json
from typing import Any, Final
from urllib.parse import quote

from flask import Response

from filestore_svc.domain.files import FIXED, StoredFile
from filestore_svc.domain.listing import Child, Listing
from mft_common import clock

# The characters of a cookie's value (RFC 6265) but the percent sign, by which all others are encoded.
_COOKIE_SAFE = "!#$&'()*+-./:<=>?@[]^_`{|}~"


_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def as_json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Render JSON in UTF-8."""
    return Response(_encode(value).encode("utf-8", "replace"), status, headers, content_type="application/json")


def success(message: str, fileset: int, status: int = 200, *, timestamp: bool = True) -> Response:
    """Render the envelope of a success (C3, D5)."""
    return Response(success_body(message, fileset, timestamp=timestamp), status, content_type="application/json")


def success_body(message: str, fileset: int, *, timestamp: bool = True) -> bytes:
    """Return the JSON of a success, its members in the printed order (C3, D5)."""
    when = {"timestamp": clock.iso(clock.now_ms())} if timestamp else {}
    return _encode({"result": "ok", **when, "message": message, "fileset": fileset}).encode()


def failure(status: int, message: str, error_type: str, *, timestamp: bool, headers: dict[str, str]) -> Response:
    """Render the envelope of a failure, with or without its timestamp (C1, C2)."""
    envelope = {"result": "failed"}
    if timestamp:
        envelope["timestamp"] = clock.iso(clock.now_ms())
    return as_json(envelope | {"message": message, "errorType": error_type}, status, headers)


def login(user: str, token: str, suffix: str) -> Response:
    """Render a login: the two cookie lines are written here, because werkzeug's have another order (2).

    `suffix` follows `HttpOnly`.
    """
    response = Response(b"", 200)
    del response.headers["Content-Type"]
    for name, value in (("sp-http-usr", quote(user, safe=_COOKIE_SAFE)), ("sp-http-ses", token)):
        response.headers.add("Set-Cookie", f"{name}={value};Version=1;Path=/;HttpOnly{suffix}")
    return response


def logout(suffix: str) -> Response:
    """Render a logout: both cookies, expired (X3)."""
    response = Response(b"", 200)
    del response.headers["Content-Type"]
    for name in ("sp-http-usr", "sp-http-ses"):
        expired = "Max-Age=0;Expires=Thu, 01 Jan 1970 00:00:00 GMT"
        response.headers.add("Set-Cookie", f"{name}=;Version=1;Path=/;{expired};HttpOnly{suffix}")
    return response


def metadata(file: StoredFile, base: str) -> Response:
    """Render the metadata of a file: a bare object, the ten fixed attributes first (53)."""
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


def folder_created(uri: str) -> Response:
    """Render the creation of a folder (X2)."""
    body = {"result": "ok", "timestamp": clock.iso(clock.now_ms()), "message": "Folder created"}
    return as_json(body, 201, {"Location": uri})


def uri(base: str, kind: str, path: str) -> str:
    """Return the absolute URI of a path, its segments percent-encoded (S30)."""
    return f"{base}/2.0/{kind}{quote(path, safe='/')}"


def file_summary(file: StoredFile) -> dict[str, Any]:
    """Return the members of a file in the internal interface."""
    return {
        "path": file.path,
        "name": file.name,
        "fileset": file.fileset,
        "size": file.size,
        "sha256": file.sha256,
        "modified_at": file.modified_at,
    }


def listing(found: Listing, base: str, attributes: tuple[str, ...], *, show_owner: bool) -> Response:
    """Render a listing: exactly `uri`, `totalCount` (a string) and `files` (80 to 84)."""
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
        # A custom attribute of that name must not pass for the digest that the server computed.
        values["sha256"] = file.sha256
    return {name: values.get(name, "") for name in names}
