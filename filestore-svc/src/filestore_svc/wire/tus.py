"""Read and write the headers of tus 1.0, in which uploads arrive in pieces."""

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
    """What a client says of a file that is to come: its path as bytes, its length, and what it tells of it."""

    path: bytes
    length: int
    datatype: str
    attributes: dict[str, str]
    metadata: str
    preconditions: Preconditions


@dataclass(frozen=True, kw_only=True)
class Patch:
    """The head of a piece: where it begins, how long it is (None: in chunks), and what its digest should be."""

    offset: int
    length: int | None
    algorithm: str
    digest: bytes

    def hasher(self) -> Any:
        """Return what makes the digest; None when none was promised."""
        return hashlib.new(self.algorithm, usedforsecurity=False) if self.algorithm else None


def check_version(environ: Mapping[str, Any]) -> None:
    """Raise WrongVersion unless the client speaks this version."""
    if environ.get("HTTP_TUS_RESUMABLE") != VERSION:
        raise WrongVersion(headers={"Tus-Version": VERSION})


def creation(environ: Mapping[str, Any]) -> Creation:
    """Read the head of a creation; WrongVersion, BadSyntax.

    A client that asks for an extension which is not offered would go on as if it had it, and its partial uploads would
    be stored as files: that is refused first, whatever else the request says (X1).
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


def discovered(largest: int | None) -> Response:
    """Say what is spoken here."""
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
    """Say where the pieces go."""
    return _bare(201, {"Location": location, **_state(upload)})


def found(upload: Upload) -> Response:
    """Say how much is there."""
    told = {"Upload-Metadata": upload.metadata} if upload.metadata else {}
    headers = {"Upload-Length": str(upload.length), "Cache-Control": "no-store", **told, **_state(upload)}
    return _bare(200, headers)


def taken(upload: Upload) -> Response:
    """Say how much is there now."""
    return _bare(204, _state(upload))


def ended() -> Response:
    """Say that an upload is no more."""
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
