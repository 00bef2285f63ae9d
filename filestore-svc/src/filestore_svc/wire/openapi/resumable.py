"""List the calls of resumable uploads (tus 1.0)."""

from typing import Final

from filestore_svc.wire import tus
from filestore_svc.wire.openapi import shapes
from filestore_svc.wire.openapi.calls import BYTES, SESSION, WRITER, Call, Field
from filestore_svc.wire.openapi.shapes import Shape

_COUNT: Final[Shape] = {"type": "string", "pattern": "^[0-9]{1,18}$"}
_VERSION: Final = {"Tus-Resumable": Field("The version of tus.", {"const": tus.VERSION}, required=True)}
_GUARDS: Final = {
    "If-Match": Field("The entity tag that the file must have, when the upload begins and when it ends."),
    "If-None-Match": Field("Entity tags that the file must not have; `*` for no file at all."),
    "If-Unmodified-Since": Field("The date since which the file must not have changed when the upload begins."),
}
_OFFSET: Final = {"Upload-Offset": Field("The number of bytes that have arrived.", _COUNT, required=True)}
_LENGTH: Final = {"Upload-Length": Field("The size of the file in bytes.", _COUNT, required=True)}
_ABOUT: Final = (
    "`path`, and optionally `filetype` and `metadata` (JSON), each with its value in base64, between commas."
)
_STATE: Final = {
    **_VERSION,
    **_OFFSET,
    "Upload-Expires": Field("When an incomplete upload expires."),
    "Fileset": Field(
        "The fileset of the file, once the upload is complete.", {"type": "string", "pattern": "^[1-9][0-9]*$"}
    ),
}
_PIECE: Final = {
    **_VERSION,
    "Upload-Offset": Field("The offset of the piece, which is the end of the piece before it.", _COUNT, required=True),
    "Upload-Checksum": Field("The digest of the piece: `sha1` or `sha256`, a blank, base64."),
}
_INSTEAD: Final = {
    "X-HTTP-Method-Override": Field(
        "The method to carry out.", {"type": "string", "enum": ["PATCH", "DELETE", "HEAD"]}, required=True
    )
}
_OWN: Final = (*WRITER, shapes.VERSION, shapes.E_ID)
# The piece with the last byte may meet every refusal that a PUT meets at its commit.
_STORED: Final = (
    *(shapes.E_SYN, shapes.E_NOFILE, shapes.E_W, shapes.E_PATH),
    *(shapes.EXISTS, shapes.PRECONDITION, shapes.TOO_LARGE, shapes.FULL),
)
_APPENDED: Final = (*_OWN, *_STORED, shapes.REFUSED, shapes.OFFSET, shapes.TYPE, shapes.CHECKSUM)


def calls() -> list[Call]:
    """Return the calls below `/2.0/uploads`."""
    uploads, upload, body = "/2.0/uploads", "/2.0/uploads/{upload}", (tus.PIECE, BYTES)
    discovery = {
        **_VERSION,
        "Tus-Version": Field("The versions of tus that are served.", {"const": tus.VERSION}, required=True),
        "Tus-Extension": Field("The extensions of tus.", {"const": tus.EXTENSIONS}, required=True),
        "Tus-Checksum-Algorithm": Field(
            "The algorithms of `Upload-Checksum`.", {"const": ",".join(tus.ALGORITHMS)}, required=True
        ),
        "Tus-Max-Size": Field("The size of the largest file that is accepted.", _COUNT),
    }
    return [
        Call(
            path=uploads, method="options", name="discover_uploads",
            summary="Discover extensions and limits.", status=204,
            rows=(), session=False, returns=discovery,
        ),
        Call(
            path=upload, method="options", name="discover_upload",
            summary="Discover extensions and limits.", status=204,
            rows=(), session=False, returns=discovery,
        ),
        Call(
            path=uploads, method="post", name="create_upload", summary="Begin a resumable upload.", status=201,
            rows=(*WRITER, shapes.VERSION, *_STORED),
            headers={**_VERSION, **_LENGTH, "Upload-Metadata": Field(_ABOUT, required=True), **_GUARDS},
            returns={**_STATE, "Location": Field("The URL to which the pieces are sent.", required=True)},
        ),
        Call(
            path=upload, method="head", name="find_upload", summary="Read the state of an upload.",
            rows=(*SESSION, shapes.VERSION, shapes.E_ID), headers=_VERSION,
            returns={**_STATE, **_LENGTH, "Upload-Metadata": Field("The metadata of the creation.")},
        ),
        Call(
            path=upload, method="patch", name="append_upload", summary="Send a piece; the last one makes the file.",
            status=204, rows=_APPENDED, headers=_PIECE, body=body, returns=_STATE,
        ),
        Call(
            path=upload, method="delete", name="terminate_upload", summary="End an upload.", status=204, rows=_OWN,
            headers=_VERSION, returns=_VERSION,
        ),
        Call(
            path=upload, method="post", name="override_upload", summary="Do what the header names.", status=204,
            also=200, rows=(*_APPENDED, shapes.NO_ROUTE), headers={**_PIECE, **_INSTEAD}, body=body, returns=_VERSION,
        ),
    ]  # fmt: skip
