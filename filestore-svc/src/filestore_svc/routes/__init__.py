"""Map URLs to operations: `/2.0` for everybody, `/internal/v1` for the hub itself."""

from flask import Flask
from werkzeug.routing import BaseConverter

from filestore_svc.operations import Internal, Operations
from filestore_svc.operations.resuming import Resuming
from filestore_svc.routes import internal, uploads, vendor
from filestore_svc.routes.audit import audited


class _Tail(BaseConverter):
    """Whatever follows a route's name, read by no one: the operations look at the raw bytes of the URL instead."""

    regex = r"(?:/[\s\S]*)?"
    part_isolating = False


def register(app: Flask, operations: Operations, own: Internal, resuming: Resuming) -> None:
    """Add all routes to the application."""
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.url_map.converters["tail"] = _Tail
    app.register_blueprint(vendor.blueprint(operations))
    app.register_blueprint(uploads.blueprint(resuming))
    app.register_blueprint(internal.blueprint(own))
    app.after_request(uploads.versioned)
    app.after_request(audited)
