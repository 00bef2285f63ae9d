"""Map the URLs of the internal interface to operations. The gateway never routes them."""

from flask import Blueprint, Response, request

from filestore_svc import schemas
from filestore_svc.domain.paths import Target
from filestore_svc.domain.resumable import Upload
from filestore_svc.errors import StillCompleting
from filestore_svc.operations.access import Caller
from filestore_svc.operations.internal import Internal
from filestore_svc.operations.resuming import NewUpload
from filestore_svc.routes.audit import note, sender
from filestore_svc.wire import bodies, downloads, internal, requests, responses
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
    _add_files(pages, operations)
    _add_uploads(pages, operations)
    _add_ends(pages, operations)
    return pages


def _add_files(pages: Blueprint, operations: Internal) -> None:
    @pages.get("/folders<tail:_tail>")
    def list_folder(_tail: str) -> Response:
        target, caller = _target("folders", "list"), operations.system(web.identity())
        found = operations.list_folder(caller, target, schemas.folder_page(_query()))
        return responses.as_json({"files": [responses.file_summary(file) for file in found]})

    @pages.get("/files<tail:_tail>")
    def fetch(_tail: str) -> Response:
        target = _target("files", "download")
        file = operations.find(operations.system(web.identity()), target)
        extra = {
            "X-Sha256": file.sha256, "X-Fileset": str(file.fileset), "X-Modified-At": str(file.modified_at),
        }  # fmt: skip
        return downloads.response(request.environ, file, sender(operations, file), extra, operations.now())

    @pages.delete("/files<tail:_tail>")
    def delete(_tail: str) -> Response:
        target, caller = _target("files", "delete"), operations.system(web.identity())
        file = operations.delete(caller, target, schemas.only_fileset(_query()))
        note(fileset=file.fileset)
        return responses.as_json({"fileset": file.fileset})


def _add_uploads(pages: Blueprint, operations: Internal) -> None:
    uploads = operations.uploads

    @pages.post("/uploads<tail:_tail>")
    def begin(_tail: str) -> Response:
        target, caller = _target("uploads", "begin"), operations.system(web.identity())
        head = internal.beginning(request.environ)
        new = NewUpload(
            target=target, length=head.length, datatype=head.datatype, reject=head.if_exists == "fail", two_step=True,
            token=head.token,
        )  # fmt: skip
        return responses.as_json({"upload": _noted(uploads.create(caller, new)).id}, 201)

    @pages.delete("/uploads<tail:_tail>")
    def sweep(_tail: str) -> Response:
        target, caller = _target("uploads", "sweep"), operations.system(web.identity())
        return responses.as_json({"removed": uploads.sweep(caller, target, internal.token(_query()))})

    @pages.patch("/upload/<upload>")
    def append(upload: str) -> Response:
        caller, patch = _caller(operations, "append", upload), internal.patch(request.environ)
        blocks = bodies.blocks(request.environ["wsgi.input"], patch.length)
        return responses.as_json({"offset": uploads.append(caller, upload, patch, blocks).received})

    @pages.get("/upload/<upload>")
    def find(upload: str) -> Response:
        found = uploads.find(_caller(operations, "find", upload), upload)
        return responses.as_json({"received": found.received, "state": found.state})


def _add_ends(pages: Blueprint, operations: Internal) -> None:
    uploads = operations.uploads

    @pages.post("/upload/<upload>/seal")
    def seal(upload: str) -> Response:
        try:
            sealed = _noted(uploads.seal(_caller(operations, "seal", upload), upload))
        except StillCompleting:
            return responses.as_json({}, 202)
        return responses.as_json({"size": sealed.length, "sha256": sealed.sha256})

    @pages.post("/upload/<upload>/commit")
    def commit(upload: str) -> Response:
        try:
            complete = _noted(uploads.commit(_caller(operations, "commit", upload), upload))
        except StillCompleting:
            return responses.as_json({}, 202)
        return responses.as_json(internal.stored(complete), 201)

    @pages.delete("/upload/<upload>")
    def abort(upload: str) -> Response:
        ended = _noted(uploads.terminate(_caller(operations, "abort", upload), upload))
        return responses.as_json({"stored": internal.stored(ended)})


def _caller(operations: Internal, operation: str, upload: str) -> Caller:
    note(operation=f"internal.{operation}", upload=upload, transfer_id=web.identity().transfer_id)
    return operations.system(web.identity())


def _noted(upload: Upload) -> Upload:
    note(path=upload.path, upload=upload.id, bytes=upload.received, fileset=upload.fileset or None)
    return upload
