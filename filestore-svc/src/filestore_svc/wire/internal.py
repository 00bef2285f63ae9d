"""Read the requests of the internal interface, and render its uploads."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from filestore_svc.domain.resumable import Upload
from filestore_svc.errors import BadSyntax
from filestore_svc.wire.bodies import length_of
from filestore_svc.wire.headers import check_whole
from filestore_svc.wire.tus import Patch
from filestore_svc.wire.uploads import datatype_of

_NUMBER: Final = re.compile(r"[0-9]{1,18}")
_TOKEN: Final = re.compile(r"[0-9A-Za-z]{0,64}")

Environ = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Beginning:
    """The head of a request that begins an upload."""

    length: int
    datatype: str
    if_exists: Literal["replace", "fail"]
    token: str


def beginning(environ: Environ) -> Beginning:
    """Read the head of a request that begins an upload; BadSyntax."""
    if_exists = environ.get("HTTP_X_IF_EXISTS", "replace")
    if if_exists not in ("replace", "fail"):
        raise BadSyntax
    return Beginning(
        length=number(environ.get("HTTP_UPLOAD_LENGTH")),
        datatype=datatype_of(environ.get("HTTP_X_DATATYPE")),
        if_exists=cast("Literal['replace', 'fail']", if_exists),
        token=_token(environ.get("HTTP_X_TOKEN", "")),
    )


def patch(environ: Environ) -> Patch:
    """Read the head of a request that appends bytes; BadSyntax."""
    check_whole(environ)
    return Patch(offset=number(environ.get("HTTP_UPLOAD_OFFSET")), length=length_of(environ), algorithm="", digest=b"")


def token(query: Mapping[str, str]) -> str:
    """Return the token whose uploads are to be swept; BadSyntax where there is none."""
    found = _token(query.get("token", ""))
    if not found:
        raise BadSyntax
    return found


def number(text: str | None) -> int:
    """Return a number of up to 18 digits; BadSyntax."""
    if text is None or not _NUMBER.fullmatch(text):
        raise BadSyntax
    return int(text)


def stored(upload: Upload) -> dict[str, Any] | None:
    """Describe the file of a complete upload, None for another."""
    if upload.state != "complete":
        return None
    return {
        "fileset": upload.fileset,
        "size": upload.length,
        "sha256": upload.sha256,
        "replaced": upload.replaced or None,
    }


def _token(text: str) -> str:
    if not _TOKEN.fullmatch(text):
        raise BadSyntax
    return text
