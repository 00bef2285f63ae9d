"""Read and write the headers of resumable uploads (tus 1.0)."""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from flask import Response
from werkzeug.http import http_date

from filestore_svc.domain.resumable import Upload
from filestore_svc.errors import BadSyntax, WrongType, WrongVersion
from filestore_svc.wire import metadata
from filestore_svc.wire.bodies import length_of
from filestore_svc.wire.headers import Preconditions, check_whole, preconditions
from filestore_svc.wire.uploads import datatype_of

VERSION: Final = "1.0.0"
EXTENSIONS: Final = "creation,termination,expiration,checksum"
ALGORITHMS: Final = ("sha1", "sha256")
PIECE: Final = "application/offset+octet-stream"
_NUMBER: Final = re.compile(r"[0-9]{1,18}")
_KEY: Final = re.compile(r"[!-+\--~]+")
_LONGEST: Final = 512 << 10


@dataclass(frozen=True, kw_only=True)
class Creation:
    """The head of a creation: path, length, type and attributes of the file; `metadata` is the raw header."""

    path: bytes
    length: int
    datatype: str
    attributes: dict[str, str]
    metadata: str
    preconditions: Preconditions


@dataclass(frozen=True, kw_only=True)
class Patch:
    """The head of a piece: its offset, its length (None: chunked), and the digest that it must have."""

    offset: int
    length: int | None
    algorithm: str
    digest: bytes

    def hasher(self) -> Any:
        """Return a new hash object, None where the client sent no digest."""
        return hashlib.new(self.algorithm, usedforsecurity=False) if self.algorithm else None


def check_version(environ: Mapping[str, Any]) -> None:
    """Raise WrongVersion unless the client uses this version of tus."""
    if environ.get("HTTP_TUS_RESUMABLE") != VERSION:
        raise WrongVersion(headers={"Tus-Version": VERSION})


def creation(environ: Mapping[str, Any]) -> Creation:
    """Read the head of a creation; WrongVersion, BadSyntax.

    Extensions that are not offered are refused first, whatever else the request says: a client that continued as if it
    had them would store partial uploads as files (X1).
    """
    if "HTTP_UPLOAD_CONCAT" in environ or "HTTP_UPLOAD_DEFER_LENGTH" in environ:
        raise BadSyntax
    check_version(environ)
    check_whole(environ)
    length = _number(environ.get("HTTP_UPLOAD_LENGTH"))
    raw = environ.get("HTTP_UPLOAD_METADATA", "")
    values = _pairs(raw)
    if "path" not in values:
        raise BadSyntax
    return Creation(
        path=values["path"],
        length=length,
        datatype=datatype_of(values.get("filetype", b"").decode("latin-1")),
        attributes=metadata.parse(values["metadata"]) if "metadata" in values else {},
        metadata=raw,
        preconditions=preconditions(environ),
    )


def patch(environ: Mapping[str, Any]) -> Patch:
    """Read the head of a piece; WrongVersion, WrongType, BadSyntax."""
    check_version(environ)
    if environ.get("CONTENT_TYPE", "").strip().lower() != PIECE:
        raise WrongType
    check_whole(environ)
    algorithm, digest = "", b""
    if (promised := environ.get("HTTP_UPLOAD_CHECKSUM")) is not None:
        algorithm, _, text = promised.strip().partition(" ")
        digest = _decoded(text)
        if algorithm not in ALGORITHMS or len(digest) != hashlib.new(algorithm, usedforsecurity=False).digest_size:
            raise BadSyntax
    offset = _number(environ.get("HTTP_UPLOAD_OFFSET"))
    return Patch(offset=offset, length=length_of(environ), algorithm=algorithm, digest=digest)


def discovery(largest: int | None) -> Response:
    """Render the discovery: version, extensions and limits."""
    headers = {
        "Tus-Version": VERSION,
        "Tus-Extension": EXTENSIONS,
        "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
        "Allow": "OPTIONS, POST",
    }
    if largest is not None:
        headers["Tus-Max-Size"] = str(largest)
    return _bare(204, headers)


def created(upload: Upload, location: str) -> Response:
    """Render a creation, with the URL of the upload."""
    return _bare(201, {"Location": location, **_state(upload)})


def current_state(upload: Upload) -> Response:
    """Render the state of an upload."""
    given = {"Upload-Metadata": upload.metadata} if upload.metadata else {}
    headers = {"Upload-Length": str(upload.length), "Cache-Control": "no-store", **given, **_state(upload)}
    return _bare(200, headers)


def appended(upload: Upload) -> Response:
    """Render the state of an upload after a piece."""
    return _bare(204, _state(upload))


def terminated() -> Response:
    """Render a termination."""
    return _bare(204, {})


def _state(upload: Upload) -> dict[str, str]:
    offset = {"Upload-Offset": str(upload.received)}
    if upload.fileset:
        return {**offset, "Fileset": str(upload.fileset)}
    return {**offset, "Upload-Expires": http_date(upload.expires_at / 1000)}


def _bare(status: int, headers: Mapping[str, str]) -> Response:
    response = Response(b"", status, headers)
    del response.headers["Content-Type"]
    return response


def _number(text: str | None) -> int:
    if text is None or not _NUMBER.fullmatch(text.strip()):
        raise BadSyntax
    return int(text)


def _pairs(raw: str) -> dict[str, bytes]:
    """Read `key base64,key base64,key`; a key without a value has an empty one."""
    found: dict[str, bytes] = {}
    if len(raw) > _LONGEST:
        raise BadSyntax
    for pair in raw.split(",") if raw.strip() else ():
        key, _, value = pair.strip().partition(" ")
        if not _KEY.fullmatch(key) or key in found:
            raise BadSyntax
        found[key] = _decoded(value)
    return found


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadSyntax from error
