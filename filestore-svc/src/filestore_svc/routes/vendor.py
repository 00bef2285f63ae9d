"""Map the vendor's URLs to operations."""

from flask import Blueprint, Response, request

from filestore_svc.domain.paths import Target
from filestore_svc.errors import NotFound
from filestore_svc.operations import Operations
from filestore_svc.routes.audit import note, sender
from filestore_svc.wire import answers, downloads, requests
from mft_common import web


def _target(kind: str, operation: str) -> Target:
    """Return what the URL names below `/2.0/<kind>`, and begin the audit line with it."""
    target = requests.target(request.environ, f"/2.0/{kind}")
    note(operation=f"file.{operation}", path=f"/{target.text}")
    return target


def _base() -> str:
    return web.identity().base_url or request.host_url.rstrip("/")


def blueprint(operations: Operations) -> Blueprint:
    """Return the routes below `/2.0`."""
    pages = Blueprint("vendor", __name__, url_prefix="/2.0")
    configuration = operations.configuration

    @pages.post("/login/basic")
    def login_basic() -> Response:
        form = requests.form(request.environ)
        note(operation="session.login", account=form.get("username", "")[:255])
        user, token = operations.login_basic(web.identity(), form.get("username", ""), form.get("password", ""))
        return answers.logged_in(user, token, configuration.sessions.cookie_suffix)

    @pages.put("/files<tail:_tail>")
    def upload(_tail: str) -> Response:
        kept = operations.upload(web.identity(), _target("files", "upload"), request.environ)
        note(fileset=kept.file.fileset, bytes=kept.file.size, sha256=kept.file.sha256, replaced=kept.replaced)
        return answers.done("Upload successful", kept.file.fileset, 201)

    @pages.post("/files<tail:_tail>")
    def upload_with_metadata(_tail: str) -> Response:
        raise NotFound

    @pages.get("/files<tail:_tail>")
    def download(_tail: str) -> Response:
        file = operations.download(web.identity(), _target("files", "download"))
        note(fileset=file.fileset)
        return downloads.answer(request.environ, file, sender(operations, file), {})

    @pages.delete("/files<tail:_tail>")
    def delete_file(_tail: str) -> Response:
        file = operations.delete_file(web.identity(), _target("files", "delete"), request.environ)
        note(fileset=file.fileset, bytes=file.size, sha256=file.sha256)
        return answers.done("File deleted", file.fileset)

    @pages.get("/directories<tail:_tail>")
    def directories(_tail: str) -> Response:
        target = _target("directories", "list")
        found, page = operations.directories(web.identity(), target, request.environ.get("QUERY_STRING", ""))
        return answers.listing(found, _base(), page.attributes, show_owner=configuration.show_owner)

    return pages
