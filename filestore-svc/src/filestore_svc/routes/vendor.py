"""Map the vendor's URLs to operations."""

from flask import Blueprint, Response, request

from filestore_svc.domain.files import StoredFile
from filestore_svc.domain.paths import Target
from filestore_svc.operations import Operations
from filestore_svc.operations.uploads import StoredUpload
from filestore_svc.routes.audit import note, sender
from filestore_svc.routes.lane import raise_refused
from filestore_svc.wire import answers, downloads, openapi, requests
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


def _query() -> str:
    return str(request.environ.get("QUERY_STRING", ""))


def _base() -> str:
    return web.identity().base_url or request.host_url.rstrip("/")


def _noted(file: StoredFile) -> StoredFile:
    note(path=file.path, fileset=file.fileset, bytes=file.size, sha256=file.sha256)
    return file


def _stored(kept: StoredUpload, *, timestamp: bool = True) -> Response:
    file = _noted(kept.file)
    note(replaced=kept.replaced)
    return answers.done("Upload successful", file.fileset, 201, timestamp=timestamp)


def blueprint(operations: Operations) -> Blueprint:
    """Return the routes below `/2.0`."""
    pages = Blueprint("vendor", __name__, url_prefix="/2.0")
    for add in (_add_sessions, _add_files, _add_filesets, _add_metadata, _add_folders):
        add(pages, operations)

    @pages.get("/openapi.json")
    def openapi_json() -> Response:
        return answers.as_json(openapi.document(basic=operations.configuration.basic_auth))

    return pages


def _add_sessions(pages: Blueprint, operations: Operations) -> None:
    def suffix() -> str:
        return operations.configuration.sessions.cookie_suffix(web.identity().scheme)

    @pages.post("/login/basic")
    def login_basic() -> Response:
        form = requests.form(request.environ)
        note(operation="session.login", account=form.get("username", "")[:255])
        user, token = operations.login_basic(web.identity(), form.get("username", ""), form.get("password", ""))
        return answers.logged_in(user, token, suffix())

    @pages.post("/logout")
    def logout() -> Response:
        note(operation="session.logout")
        operations.logout(web.identity(), request.environ)
        return answers.logged_out(suffix())


def _add_files(pages: Blueprint, operations: Operations) -> None:
    timestamps_everywhere = operations.configuration.timestamps_everywhere

    @pages.put("/files<tail:_tail>")
    def upload(_tail: str) -> Response:
        target = _target("files", "upload")
        raise_refused(request.environ)
        return _stored(operations.upload(web.identity(), target, request.environ))

    @pages.post("/files<tail:_tail>")
    def upload_with_metadata(_tail: str) -> Response:
        kept = operations.upload_with_metadata(web.identity(), _target("files", "upload"), request.environ)
        return _stored(kept, timestamp=timestamps_everywhere)

    @pages.get("/files<tail:_tail>")
    def download(_tail: str) -> Response:
        target = _target("files", "download")
        raise_refused(request.environ)
        return _sent(operations, operations.download(web.identity(), target))

    @pages.delete("/files<tail:_tail>")
    def delete_file(_tail: str) -> Response:
        file = operations.delete_file(web.identity(), _target("files", "delete"), request.environ)
        return answers.done("File deleted", _noted(file).fileset)


def _sent(operations: Operations, file: StoredFile) -> Response:
    note(path=file.path, fileset=file.fileset)
    return downloads.answer(request.environ, file, sender(operations, file), {}, operations.now())


def _add_filesets(pages: Blueprint, operations: Operations) -> None:
    @pages.get("/fileset<tail:_tail>")
    def fileset(_tail: str) -> Response:
        asked = _fileset("fileset", "download")
        raise_refused(request.environ)
        return _sent(operations, operations.fileset(web.identity(), asked))

    @pages.delete("/fileset<tail:_tail>")
    def delete_fileset(_tail: str) -> Response:
        file = operations.delete_fileset(web.identity(), _fileset("fileset", "delete"), request.environ)
        return answers.done("File deleted", _noted(file).fileset)


def _add_metadata(pages: Blueprint, operations: Operations) -> None:
    @pages.post("/metadata<tail:_tail>")
    def set_metadata(_tail: str) -> Response:
        file = operations.set_metadata(web.identity(), _target("metadata", "describe"), request.environ)
        return answers.done("Metadata updated", _noted(file).fileset)

    @pages.get("/metadata<tail:_tail>")
    def metadata(_tail: str) -> Response:
        file = operations.metadata(web.identity(), _target("metadata", "metadata"))
        return answers.metadata(_noted(file), _base())

    @pages.post("/metadatabyid<tail:_tail>")
    def set_metadatabyid(_tail: str) -> Response:
        file = operations.set_metadatabyid(web.identity(), _fileset("metadatabyid", "describe"), request.environ)
        return answers.done("Metadata updated", _noted(file).fileset)

    @pages.get("/metadatabyid<tail:_tail>")
    def metadatabyid(_tail: str) -> Response:
        file = operations.metadatabyid(web.identity(), _fileset("metadatabyid", "metadata"))
        return answers.metadata(_noted(file), _base())


def _add_folders(pages: Blueprint, operations: Operations) -> None:
    show_owner = operations.configuration.show_owner

    @pages.get("/countelements<tail:_tail>")
    def countelements(_tail: str) -> Response:
        return answers.as_json(operations.countelements(web.identity(), _target("countelements", "count"), _query()))

    @pages.get("/directories<tail:_tail>")
    def directories(_tail: str) -> Response:
        found, page = operations.directories(web.identity(), _target("directories", "list"), _query())
        return answers.listing(found, _base(), page.attributes, show_owner=show_owner)

    @pages.post("/directories<tail:_tail>")
    def create_folder(_tail: str) -> Response:
        path = operations.create_folder(web.identity(), _target("directories", "create"), request.environ)
        return answers.made(answers.uri(_base(), "directories", path))
