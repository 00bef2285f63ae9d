"""List the calls with their parameters, bodies and responses."""

import functools
from collections.abc import Iterable, Mapping
from typing import Any, Final

from filestore_svc.domain.listing import KINDS, SORTS
from filestore_svc.wire.openapi import resumable, shapes
from filestore_svc.wire.openapi.calls import BYTES, SESSION, WRITER, Call, Field
from filestore_svc.wire.openapi.shapes import Shape

_NAMES: Final[dict[str, str]] = {
    "folder": "Names of folders, one below the other, with slashes between them.",
    "file": "Names of folders, one below the other, and the name of a file, with slashes between them.",
    "id": "A fileset's id: it stands for one content of one file.",
    "upload": "The id of an upload, which ends the URL that its creation returned.",
}
_HEADERS: Final[dict[str, str]] = {
    "If-Match": "The entity tag that the file must have.",
    "If-None-Match": "Entity tags that the file must not have; `*` for no file at all.",
    "If-Unmodified-Since": "The date since which the file must not have changed; it does not count beside `If-Match`.",
    "If-Range": "The entity tag or date for which the range is meant.",
    "Range": "One range of bytes.",
    "Repr-Digest": "The SHA-256 of the file's bytes, as RFC 9530 writes it.",
    "Content-MD5": "The MD5 of the file's bytes, in base64.",
}
_QUERY: Final[dict[str, Shape]] = {
    "filter": {"type": "string"},
    "type": {"type": "string", "enum": list(KINDS), "default": "all"},
    "sort": {"type": "string", "enum": list(SORTS), "default": "name"},
    "direction": {"type": "string", "enum": ["DESC", "ASC"], "default": "DESC"},
    "start": {"type": "integer", "minimum": 0, "default": 0},
    "limit": {"type": "integer", "minimum": 0, "default": 500},
    "attributes": {"type": "string"},
}


def _fields(*names: str) -> Mapping[str, Field]:
    return {name: Field(_HEADERS[name]) for name in names}


_GUARDS: Final = _fields("If-Match", "If-None-Match", "If-Unmodified-Since")
_SAVED: Final = {**_GUARDS, **_fields("Repr-Digest", "Content-MD5")}
_FETCHED: Final = {**_GUARDS, **_fields("If-Range", "Range")}
_COUNTED: Final = ("filter", "type")

_STORED: Final = (
    *WRITER,
    *(shapes.E_NOFILE, shapes.E_SYN, shapes.E_W, shapes.E_PATH, shapes.REFUSED),
    *(shapes.EXISTS, shapes.PRECONDITION, shapes.TOO_LARGE, shapes.FULL),
)
_SENT: Final = (*SESSION, shapes.E_R, shapes.PRECONDITION, shapes.RANGE)
_LISTED: Final = (*SESSION, shapes.E_SYN, shapes.E_L, shapes.E_LPATH)
_DESCRIBED: Final = (*WRITER, shapes.E_SYN, shapes.E_W, shapes.PRECONDITION)

_FIELDS: Final[Shape] = {
    "type": "object",
    "properties": {"username": shapes.TEXT, "password": {"type": "string", "format": "password"}},
    "required": ["username", "password"],
}
_ATTRIBUTES: Final[Shape] = {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}


def _form(*required: str) -> tuple[str, Shape]:
    parts = {"file": BYTES, "metadata": _ATTRIBUTES}
    return "multipart/form-data", {"type": "object", "properties": parts, "required": list(required)}


def _calls() -> list[Call]:
    deleted = shapes.success("File deleted")
    attributes, described = ("application/json", _ATTRIBUTES), shapes.success("Metadata updated")
    files, fileset, folder = "/2.0/files/{file}", "/2.0/fileset/{id}", "/2.0/directories/{folder}"
    found = (*_SENT, shapes.E_NOFILE, shapes.E_PATH, shapes.E_FILE)
    by_id = (*_SENT, shapes.E_NOSET, shapes.E_ID)
    return [
        Call(
            path="/2.0/login/basic", method="post", name="login_basic", summary="Open a session; two cookies hold it.",
            rows=(shapes.E_AUTH, shapes.E_LOGIN, shapes.TOO_LARGE), session=False, timestamp=False,
            body=("application/x-www-form-urlencoded", _FIELDS),
        ),
        Call(path="/2.0/logout", method="post", name="logout", summary="End the session.", rows=WRITER),
        Call(
            path=files, method="put", name="upload", summary="Store a file under the name in the URL.",
            rows=_STORED, headers=_SAVED, body=_form("file"), status=201, result=shapes.success("Upload successful"),
        ),
        Call(
            path="/2.0/files/{folder}", method="post", name="upload_with_metadata",
            summary="Store a file with metadata under the name that its part carries.",
            rows=_STORED, headers=_SAVED, body=_form("file", "metadata"), status=201, timestamp=False,
            result=shapes.success("Upload successful", timestamp=False),
        ),
        Call(
            path=files, method="get", name="download", summary="Fetch a file.",
            rows=found, headers=_FETCHED, returns_file=True,
        ),
        Call(
            path=files, method="delete", name="delete_file", summary="Delete a file.", headers=_GUARDS, result=deleted,
            rows=(*WRITER, shapes.E_DSYN, shapes.E_D, shapes.E_PATH, shapes.E_FILE, shapes.PRECONDITION),
        ),
        Call(
            path=fileset, method="get", name="fileset", summary="Fetch a file by its fileset.",
            rows=by_id, headers=_FETCHED, returns_file=True,
        ),
        Call(
            path=fileset, method="delete", name="delete_fileset", summary="Delete a file by its fileset.",
            rows=(*WRITER, shapes.E_NOSET, shapes.E_D, shapes.E_ID, shapes.PRECONDITION), headers=_GUARDS,
            result=deleted,
        ),
        Call(
            path="/2.0/metadata/{file}", method="post", name="set_metadata", summary="Add and replace metadata.",
            rows=(*_DESCRIBED, shapes.E_NOFILE, shapes.E_PATH, shapes.E_FILE), headers=_GUARDS, body=attributes,
            result=described,
        ),
        Call(
            path="/2.0/metadata/{file}", method="get", name="metadata", summary="Read metadata.",
            rows=(*SESSION, shapes.E_NOFILE, shapes.E_R, shapes.E_PATH, shapes.E_ID), result=shapes.METADATA,
        ),
        Call(
            path="/2.0/metadatabyid/{id}", method="post", name="set_metadatabyid",
            summary="Add and replace metadata by fileset.",
            rows=(*_DESCRIBED, shapes.E_NOSET, shapes.E_ID), headers=_GUARDS, body=attributes, result=described,
        ),
        Call(
            path="/2.0/metadatabyid/{id}", method="get", name="metadatabyid", summary="Read metadata by fileset.",
            rows=(*SESSION, shapes.E_NOSET, shapes.E_R, shapes.E_ID), result=shapes.METADATA,
        ),
        Call(
            path=folder, method="post", name="create_folder", summary="Make a folder.", status=201,
            rows=(*WRITER, shapes.NO_CREATE, shapes.E_LPATH, shapes.EXISTS),
            result=shapes.success("Folder created", fileset=False),
        ),
        *_listings(),
        *resumable.calls(),
        Call(
            path="/2.0/openapi.json", method="get", name="openapi_json", summary="Read this document.",
            rows=(), session=False, result={"type": "object"},
        ),
    ]  # fmt: skip


def _listings() -> list[Call]:
    calls = []
    for below, which in (("", "the root"), ("/{folder}", "a folder")):
        end = "_root" if not below else ""
        calls += [
            Call(
                path=f"/2.0/countelements{below}", method="get", name=f"countelements{end}",
                summary=f"Count the direct children of {which}.", rows=_LISTED, query=_COUNTED, result=shapes.COUNT,
            ),
            Call(
                path=f"/2.0/directories{below}", method="get", name=f"directories{end}",
                summary=f"List the direct children of {which}.", rows=_LISTED, query=tuple(_QUERY),
                result=shapes.LISTING,
            ),
        ]  # fmt: skip
    return calls


@functools.cache
def document(*, basic: bool = False) -> dict[str, Any]:
    """Return the document, which holds no secrets. With `basic` it offers Basic authentication too."""
    paths: dict[str, Any] = {}
    for call in _calls():
        paths.setdefault(call.path, {})[call.method] = _operation(call)
    cookies = {"user": "sp-http-usr", "session": "sp-http-ses"}
    schemes = {name: {"type": "apiKey", "in": "cookie", "name": cookie} for name, cookie in cookies.items()}
    ways: list[dict[str, list[str]]] = [{name: [] for name in cookies}]
    if basic:
        description = "With each call that sends neither of the cookies."
        schemes["basic"] = {"type": "http", "scheme": "basic", "description": description}
        ways.append({"basic": []})
    return {
        "openapi": "3.1.0",
        "info": {"title": "HTTP MFT REST API", "version": "2.0"},
        "servers": [{"url": "/"}],
        "security": ways,
        "paths": paths,
        "components": {"securitySchemes": schemes},
    }


def _header_parameters(headers: Mapping[str, Field]) -> Iterable[dict[str, Any]]:
    for name, each in headers.items():
        parameter = {"name": name, "in": "header", "description": each.description, "schema": each.schema}
        yield {**parameter, "required": True} if each.required else parameter


def _operation(call: Call) -> dict[str, Any]:
    name = call.path.partition("{")[2].rstrip("}")
    described = [{"name": name, "in": "path", "required": True, "description": _NAMES[name]}] if name else []
    parameters = [{**each, "schema": {"type": "string", "minLength": 1}} for each in described]
    parameters += _header_parameters(call.headers)
    parameters += [{"name": each, "in": "query", "schema": _QUERY[each]} for each in call.query]
    refusals = shapes.refusals((*call.rows, shapes.THROTTLED, shapes.AWAY), timestamp=call.timestamp)
    if call.method == "head":
        refusals = {status: {"description": each["description"]} for status, each in refusals.items()}
    operation: dict[str, Any] = {
        "operationId": call.name,
        "summary": call.summary,
        "parameters": parameters,
        "responses": call.successes() | refusals,
    }
    if call.body is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {call.body[0]: {"schema": call.body[1]}},
        }
    if not call.session:
        operation["security"] = []
    return operation
