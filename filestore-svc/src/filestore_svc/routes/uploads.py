"""Map the URLs of uploads in pieces (tus 1.0) to operations."""

from flask import Blueprint, Response, request

from filestore_svc.domain.resumable import Upload
from filestore_svc.errors import NotFound
from filestore_svc.operations.resuming import Resuming
from filestore_svc.routes.audit import note
from filestore_svc.wire import tus
from mft_common import web

_PREFIX = "/2.0/uploads"


def _noted(upload: Upload) -> Upload:
    note(path=upload.path, upload=upload.id, bytes=upload.received, fileset=upload.fileset or None)
    return upload


def versioned(response: Response) -> Response:
    """Say in every answer of these URLs which version is spoken, in refusals too."""
    if request.path == _PREFIX or request.path.startswith(f"{_PREFIX}/"):
        response.headers["Tus-Resumable"] = tus.VERSION
    return response


def blueprint(operations: Resuming) -> Blueprint:
    """Return the routes below `/2.0/uploads`."""
    pages = Blueprint("uploads", __name__, url_prefix=_PREFIX)

    @pages.route("", methods=["OPTIONS"])
    @pages.route("/<_upload>", methods=["OPTIONS"])
    def discover(_upload: str = "") -> Response:
        return tus.discovered(operations.largest)

    @pages.post("")
    def create() -> Response:
        note(operation="upload.create")
        upload = _noted(operations.create(web.identity(), request.environ))
        base = web.identity().base_url or request.host_url.rstrip("/")
        return tus.created(upload, f"{base}{_PREFIX}/{upload.id}")

    @pages.route("/<upload>", methods=["HEAD"])
    def find(upload: str) -> Response:
        return tus.found(operations.find(web.identity(), upload, request.environ))

    @pages.patch("/<upload>")
    def append(upload: str) -> Response:
        note(operation="upload.append", upload=upload)
        return tus.taken(_noted(operations.append(web.identity(), upload, request.environ)))

    @pages.delete("/<upload>")
    def terminate(upload: str) -> Response:
        note(operation="upload.terminate", upload=upload)
        operations.terminate(web.identity(), upload, request.environ)
        return tus.ended()

    @pages.post("/<upload>")
    def instead(upload: str) -> Response:
        """Do what the client could not send as a method of its own."""
        ways = {"PATCH": append, "DELETE": terminate, "HEAD": find}
        way = ways.get(request.headers.get("X-HTTP-Method-Override", "").upper())
        if way is None:
            raise NotFound
        return way(upload)

    return pages
