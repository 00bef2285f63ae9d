"""Map the vendor's URLs to operations."""

from flask import Blueprint, Response, request

from filestore_svc import schemas
from filestore_svc.domain.files import StoredFile
from filestore_svc.domain.paths import Target
from filestore_svc.operations.access import Caller
from filestore_svc.operations.pending import StoredUpload
from filestore_svc.operations.vendor_calls import Operations
from filestore_svc.routes.audit import note, sender
from filestore_svc.routes.fast_path import raise_earlier_error
from filestore_svc.wire import downloads, openapi, queries, requests, responses, uploads
from filestore_svc.wire import metadata as metadata_json
from filestore_svc.wire.headers import preconditions
from mft_common import web


def _target(kind: str, operation: str) -> Target:
    """Return what the URL names below `/2.0/<kind>`, and begin the audit line with it."""
    target = requests.target(request.environ, f"/2.0/{kind}")
    note(operation=f"file.{operation}", path=f"/{target.text}")
    return target


def _fileset(kind: str, operation: str) -> str:
    """Return the id that the URL names below `/2.0/<kind>`, and begin the audit line with it."""
    fileset = requests.fileset(request.environ, f"/2.0/{kind}")
    note(operation=f"file.{operation}", asked=fileset[:255])
    return fileset


def _query() -> dict[str, str]:
    return queries.parameters(str(request.environ.get("QUERY_STRING", "")))


def _reader(operations: Operations) -> Caller:
    return operations.reader(web.identity())


def _writer(operations: Operations) -> Caller:
    return operations.writer(web.identity(), request.headers.get("Origin"))


def _base() -> str:
    return web.identity().base_url or request.host_url.rstrip("/")


def _noted(file: StoredFile) -> StoredFile:
    note(path=file.path, fileset=file.fileset, bytes=file.size, sha256=file.sha256)
    return file


def _stored(kept: StoredUpload, *, timestamp: bool = True) -> Response:
    file = _noted(kept.file)
    note(replaced=kept.replaced)
    return responses.success("Upload successful", file.fileset, 201, timestamp=timestamp)


def blueprint(operations: Operations) -> Blueprint:
    """Return the routes below `/2.0`."""
    pages = Blueprint("vendor", __name__, url_prefix="/2.0")
    for add in (_add_sessions, _add_files, _add_filesets, _add_metadata, _add_folders):
        add(pages, operations)

    @pages.get("/openapi.json")
    def openapi_json() -> Response:
        return responses.as_json(openapi.document(basic=operations.configuration.basic_auth))

    return pages


def _add_sessions(pages: Blueprint, operations: Operations) -> None:
    def suffix() -> str:
        return operations.configuration.sessions.cookie_suffix(web.identity().scheme)

    @pages.post("/login/basic")
    def login_basic() -> Response:
        form = requests.form(request.environ)
        note(operation="session.login", account=form.get("username", "")[:255])
        user, token = operations.login_basic(web.identity(), form.get("username", ""), form.get("password", ""))
        return responses.login(user, token, suffix())

    @pages.post("/logout")
    def logout() -> Response:
        note(operation="session.logout")
        operations.logout(_writer(operations))
        return responses.logout(suffix())


def _add_files(pages: Blueprint, operations: Operations) -> None:
    timestamps_everywhere = operations.configuration.timestamps_everywhere

    @pages.put("/files<tail:_tail>")
    def upload(_tail: str) -> Response:
        target = _target("files", "upload")
        raise_earlier_error(request.environ)
        caller = _writer(operations)
        requests.check_file(target)
        head = uploads.head(request.environ, raw=operations.configuration.raw_put)
        return _stored(operations.upload(caller, target, head))

    @pages.post("/files<tail:_tail>")
    def upload_with_metadata(_tail: str) -> Response:
        target, caller = _target("files", "upload"), _writer(operations)
        stored = operations.upload_with_metadata(caller, target, uploads.head(request.environ))
        return _stored(stored, timestamp=timestamps_everywhere)

    @pages.get("/files<tail:_tail>")
    def download(_tail: str) -> Response:
        target = _target("files", "download")
        raise_earlier_error(request.environ)
        return _sent(operations, operations.download(_reader(operations), target))

    @pages.delete("/files<tail:_tail>")
    def delete_file(_tail: str) -> Response:
        target, caller = _target("files", "delete"), _writer(operations)
        file = operations.delete_file(caller, target, preconditions(request.environ))
        return responses.success("File deleted", _noted(file).fileset)


def _sent(operations: Operations, file: StoredFile) -> Response:
    note(path=file.path, fileset=file.fileset)
    return downloads.response(request.environ, file, sender(operations, file), {}, operations.now())


def _add_filesets(pages: Blueprint, operations: Operations) -> None:
    @pages.get("/fileset<tail:_tail>")
    def fileset(_tail: str) -> Response:
        asked = _fileset("fileset", "download")
        raise_earlier_error(request.environ)
        return _sent(operations, operations.fileset(_reader(operations), asked))

    @pages.delete("/fileset<tail:_tail>")
    def delete_fileset(_tail: str) -> Response:
        asked, caller = _fileset("fileset", "delete"), _writer(operations)
        file = operations.delete_fileset(caller, asked, preconditions(request.environ))
        return responses.success("File deleted", _noted(file).fileset)


def _add_metadata(pages: Blueprint, operations: Operations) -> None:
    @pages.post("/metadata<tail:_tail>")
    def set_metadata(_tail: str) -> Response:
        target, caller = _target("metadata", "describe"), _writer(operations)
        requests.check_file(target)
        file = operations.set_metadata(caller, target, metadata_json.update(request.environ))
        return responses.success("Metadata updated", _noted(file).fileset)

    @pages.get("/metadata<tail:_tail>")
    def metadata(_tail: str) -> Response:
        target = _target("metadata", "metadata")
        return responses.metadata(_noted(operations.metadata(_reader(operations), target)), _base())

    @pages.post("/metadatabyid<tail:_tail>")
    def set_metadatabyid(_tail: str) -> Response:
        asked, caller = _fileset("metadatabyid", "describe"), _writer(operations)
        requests.check_fileset(asked)
        file = operations.set_metadatabyid(caller, asked, metadata_json.update(request.environ))
        return responses.success("Metadata updated", _noted(file).fileset)

    @pages.get("/metadatabyid<tail:_tail>")
    def metadatabyid(_tail: str) -> Response:
        asked = _fileset("metadatabyid", "metadata")
        return responses.metadata(_noted(operations.metadatabyid(_reader(operations), asked)), _base())


def _add_folders(pages: Blueprint, operations: Operations) -> None:
    show_owner = operations.configuration.show_owner

    @pages.get("/countelements<tail:_tail>")
    def countelements(_tail: str) -> Response:
        target, caller = _target("countelements", "count"), _reader(operations)
        return responses.as_json(operations.countelements(caller, target, schemas.selection(_query())))

    @pages.get("/directories<tail:_tail>")
    def directories(_tail: str) -> Response:
        target, caller = _target("directories", "list"), _reader(operations)
        page = schemas.page(_query())
        listing = operations.directories(caller, target, page)
        return responses.listing(listing, _base(), page.attributes, show_owner=show_owner)

    @pages.post("/directories<tail:_tail>")
    def create_folder(_tail: str) -> Response:
        target, caller = _target("directories", "create"), _writer(operations)
        path = operations.create_folder(caller, target)
        return responses.folder_created(responses.uri(_base(), "directories", path))
