"""Read the headers that uploads and other writes carry: digests and preconditions."""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from werkzeug.http import parse_etags

from filestore_svc.errors import BadSyntax, PreconditionFailed

_DIGEST = re.compile(r"\s*([a-z*][a-z0-9_\-.*]*)\s*=\s*:([A-Za-z0-9+/=]*):\s*")
_LENGTHS: Final = {"sha-256": 32, "md5": 16}


def digests(repr_digest: str | None, content_md5: str | None) -> dict[str, bytes]:
    """Return the digests that the client promises, by algorithm; unknown algorithms are left out (S17)."""
    found: dict[str, bytes] = {}
    if repr_digest is not None:
        for member in repr_digest.split(","):
            match = _DIGEST.fullmatch(member)
            if match is None:
                raise BadSyntax
            if match[1] == "sha-256":
                found["sha-256"] = _bytes(match[2], "sha-256")
    if content_md5 is not None:
        found["md5"] = _bytes(content_md5.strip(), "md5")
    return found


def _bytes(text: str, algorithm: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadSyntax from error
    if len(raw) != _LENGTHS[algorithm]:
        raise BadSyntax
    return raw


def repr_digest(sha256: str) -> str:
    """Render a SHA-256, given in hex, as RFC 9530 wants it."""
    return f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode()}:"


def check_whole(environ: Mapping[str, Any]) -> None:
    """Raise BadSyntax where the body is a part of a file or an encoded form of it, not the file itself.

    `Content-Range` is what `curl -C` and chunking upload widgets send (RFC 9110 14.5), `Upload-Complete: ?0` and its
    elder `Upload-Incomplete: ?1` are of the IETF draft for resumable uploads. (S37)
    """
    if "HTTP_CONTENT_RANGE" in environ:
        raise BadSyntax
    if environ.get("HTTP_CONTENT_ENCODING", "identity").strip().lower() not in ("", "identity"):
        raise BadSyntax
    if environ.get("HTTP_UPLOAD_COMPLETE", "?1").strip() != "?1":
        raise BadSyntax
    if environ.get("HTTP_UPLOAD_INCOMPLETE", "?0").strip() != "?0":
        raise BadSyntax


@dataclass(frozen=True)
class Preconditions:
    """What must hold of the file that is there before a write: `If-None-Match: *` and `If-Match` (S18)."""

    if_match: str = ""
    if_none_match: str = ""

    def check(self, etag: str | None) -> None:
        """Raise PreconditionFailed unless a file with this tag (None: no file) may be written over."""
        if self.if_none_match and etag is not None:
            unwanted = parse_etags(self.if_none_match)
            if unwanted.star_tag or unwanted.contains_weak(etag):
                raise PreconditionFailed
        if self.if_match:
            wanted = parse_etags(self.if_match)
            if etag is None or not (wanted.star_tag or wanted.contains(etag)):
                raise PreconditionFailed


def preconditions(environ: Mapping[str, Any]) -> Preconditions:
    """Read the preconditions of a request."""
    return Preconditions(environ.get("HTTP_IF_MATCH", ""), environ.get("HTTP_IF_NONE_MATCH", ""))
