"""Map URLs to operations: `/2.0` for clients, `/internal/v1` for the other services."""

from typing import Any

from flask import Flask
from werkzeug.routing import BaseConverter

from filestore_svc.operations.internal import Internal
from filestore_svc.operations.resuming import Resuming
from filestore_svc.operations.vendor_calls import Operations
from filestore_svc.routes import internal, uploads, vendor
from filestore_svc.routes.audit import audited
from filestore_svc.routes.fast_path import FastPath
from mft_common.identity_reader import IdentityReader


class _Tail(BaseConverter):
    """The path after a route's name. Views ignore its value: they read the raw bytes of the URL."""

    regex = r"(?:/[\s\S]*)?"
    part_isolating = False


def register(app: Flask, operations: Operations, own: Internal, resuming: Resuming, identities: IdentityReader) -> None:
    """Add all routes to the application, and put the fast path in front of it."""
    application: Any = app
    application.wsgi_app = FastPath(app.wsgi_app, operations, identities)
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.url_map.converters["tail"] = _Tail
    app.register_blueprint(vendor.blueprint(operations))
    app.register_blueprint(uploads.blueprint(resuming, reject=operations.configuration.on_conflict == "reject"))
    app.register_blueprint(internal.blueprint(own))
    app.after_request(uploads.versioned)
    app.after_request(audited)
