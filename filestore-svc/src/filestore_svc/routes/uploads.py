"""Map the URLs of resumable uploads (tus 1.0) to operations."""

from flask import Blueprint, Response, request

from filestore_svc.domain.paths import canonical
from filestore_svc.domain.resumable import Upload
from filestore_svc.errors import NotFound
from filestore_svc.operations.access import Caller
from filestore_svc.operations.resuming import NewUpload, Resuming
from filestore_svc.routes.audit import note
from filestore_svc.wire import bodies, tus
from mft_common import web

_PREFIX = "/2.0/uploads"


def _noted(upload: Upload) -> Upload:
    note(path=upload.path, upload=upload.id, bytes=upload.received, fileset=upload.fileset or None)
    return upload


def versioned(response: Response) -> Response:
    """Add the version of tus to every answer of these URLs, refusals included."""
    if request.path == _PREFIX or request.path.startswith(f"{_PREFIX}/"):
        response.headers["Tus-Resumable"] = tus.VERSION
    return response


def blueprint(operations: Resuming, *, reject: bool) -> Blueprint:
    """Return the routes below `/2.0/uploads`."""
    pages = Blueprint("uploads", __name__, url_prefix=_PREFIX)

    def _writer() -> Caller:
        return operations.writer(web.identity(), request.environ.get("HTTP_ORIGIN"))

    @pages.route("", methods=["OPTIONS"])
    @pages.route("/<_upload>", methods=["OPTIONS"])
    def discover(_upload: str = "") -> Response:
        return tus.discovery(operations.largest)

    @pages.post("")
    def create() -> Response:
        note(operation="upload.create")
        caller, head = _writer(), tus.creation(request.environ)
        new = NewUpload(
            target=canonical(head.path), length=head.length, datatype=head.datatype, attributes=head.attributes,
            metadata=head.metadata, preconditions=head.preconditions, reject=reject,
        )  # fmt: skip
        upload = _noted(operations.create(caller, new))
        base = web.identity().base_url or request.host_url.rstrip("/")
        return tus.created(upload, f"{base}{_PREFIX}/{upload.id}")

    @pages.route("/<upload>", methods=["HEAD"])
    def find(upload: str) -> Response:
        caller = operations.reader(web.identity())
        tus.check_version(request.environ)
        return tus.current_state(operations.find(caller, upload))

    @pages.patch("/<upload>")
    def append(upload: str) -> Response:
        note(operation="upload.append", upload=upload)
        caller, patch = _writer(), tus.patch(request.environ)
        blocks = bodies.blocks(request.environ["wsgi.input"], patch.length)
        return tus.appended(_noted(operations.append(caller, upload, patch, blocks)))

    @pages.delete("/<upload>")
    def terminate(upload: str) -> Response:
        note(operation="upload.terminate", upload=upload)
        caller = _writer()
        tus.check_version(request.environ)
        operations.terminate(caller, upload)
        return tus.terminated()

    @pages.post("/<upload>")
    def instead(upload: str) -> Response:
        """Carry out the method that the header X-HTTP-Method-Override names."""
        ways = {"PATCH": append, "DELETE": terminate, "HEAD": find}
        way = ways.get(request.headers.get("X-HTTP-Method-Override", "").upper())
        if way is None:
            raise NotFound
        return way(upload)

    return pages
