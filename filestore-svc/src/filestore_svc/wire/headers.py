"""Read the headers of uploads and other writes: digests, preconditions, and signs of a partial body."""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from werkzeug.http import parse_date, parse_etags

from filestore_svc.domain.files import StoredFile
from filestore_svc.errors import BadSyntax, PreconditionFailed

_DIGEST = re.compile(r"\s*([a-z*][a-z0-9_\-.*]*)\s*=\s*:([A-Za-z0-9+/=]*):\s*")
_LENGTHS: Final = {"sha-256": 32, "md5": 16}


def digests(repr_digest: str | None, content_md5: str | None) -> dict[str, bytes]:
    """Return the digests that the body must have, by algorithm; unknown algorithms are ignored (S17)."""
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
    """Render a SHA-256, given in hexadecimal, in the form of RFC 9530."""
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
    """Conditions of a write on the file that has the name now; None where the request says nothing (S18)."""

    if_match: str | None = None
    if_none_match: str | None = None
    if_unmodified_since: str | None = None

    def check(self, file: StoredFile | None) -> None:
        """Raise PreconditionFailed unless `file` (None: the name is free) may be written, replaced or deleted.

        A tag that must match goes before a date (RFC 9110 13.2.2). A date that cannot be read does not hold, and none
        holds for a file that is gone: no condition is ever ignored.
        """
        if self.if_match is not None:
            wanted = parse_etags(self.if_match)
            if file is None or not (wanted.star_tag or wanted.contains(file.etag)):
                raise PreconditionFailed
        elif self.if_unmodified_since is not None:
            since = parse_date(self.if_unmodified_since)
            if file is None or since is None or file.last_modified > since:
                raise PreconditionFailed
        if self.if_none_match is not None and file is not None:
            unwanted = parse_etags(self.if_none_match)
            if unwanted.star_tag or unwanted.contains_weak(file.etag):
                raise PreconditionFailed

    def pinned(self, file: StoredFile | None) -> "Preconditions":
        """Return the conditions to ask again later: they name `file`, for which they hold, by its tag."""
        if self.if_match is not None or self.if_unmodified_since is None or file is None:
            return self
        return Preconditions(f'"{file.etag}"', self.if_none_match)


def preconditions(environ: Mapping[str, Any]) -> Preconditions:
    """Read the preconditions of a request."""
    return Preconditions(
        environ.get("HTTP_IF_MATCH"), environ.get("HTTP_IF_NONE_MATCH"), environ.get("HTTP_IF_UNMODIFIED_SINCE")
    )
