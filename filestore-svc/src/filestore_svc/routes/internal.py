"""Map the URLs of the internal interface to operations. The gateway never routes them."""

from flask import Blueprint, Response, request

from filestore_svc import schemas
from filestore_svc.domain.paths import Target
from filestore_svc.operations import Internal
from filestore_svc.routes.audit import note, sender
from filestore_svc.wire import downloads, requests, responses
from filestore_svc.wire.queries import parameters
from mft_common import web


def _target(kind: str, operation: str) -> Target:
    target = requests.target(request.environ, f"/internal/v1/{kind}")
    note(operation=f"internal.{operation}", path=f"/{target.text}", transfer_id=web.identity().transfer_id)
    return target


def _query() -> dict[str, str]:
    return parameters(request.environ.get("QUERY_STRING", ""))


def blueprint(operations: Internal) -> Blueprint:
    """Return the routes below `/internal/v1`."""
    pages = Blueprint("internal", __name__, url_prefix="/internal/v1")

    @pages.get("/folders<tail:_tail>")
    def list_folder(_tail: str) -> Response:
        target, caller = _target("folders", "list"), operations.system(web.identity())
        found = operations.list_folder(caller, target, schemas.folder_page(_query()))
        return responses.as_json({"files": [responses.file_summary(file) for file in found]})

    @pages.get("/files<tail:_tail>")
    def fetch(_tail: str) -> Response:
        target = _target("files", "download")
        file = operations.find(operations.system(web.identity()), target)
        extra = {"X-Sha256": file.sha256, "X-Fileset": str(file.fileset)}
        return downloads.response(request.environ, file, sender(operations, file), extra, operations.now())

    @pages.put("/files<tail:_tail>")
    def store(_tail: str) -> Response:
        kept = operations.store(web.identity(), _target("files", "upload"), request.environ)
        file = kept.file
        note(fileset=file.fileset, bytes=file.size, sha256=file.sha256)
        body = {"fileset": file.fileset, "size": file.size, "sha256": file.sha256, "replaced": kept.replaced}
        return responses.as_json(body, 201)

    @pages.delete("/files<tail:_tail>")
    def delete(_tail: str) -> Response:
        target, caller = _target("files", "delete"), operations.system(web.identity())
        file = operations.delete(caller, target, schemas.only_fileset(_query()))
        note(fileset=file.fileset)
        return responses.as_json({"fileset": file.fileset})

    return pages
