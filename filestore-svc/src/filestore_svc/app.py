"""Answer requests: the WSGI application of this service."""

import atexit
import os

from flask import Flask

from filestore_svc import bootstrap, routes
from filestore_svc.bootstrap import Service
from filestore_svc.errors import RequestRejected
from filestore_svc.routes import rendering
from filestore_svc.settings import SERVICE, Settings
from mft_common import logs, web


def create_app(service: Service | None = None) -> Flask:
    """Return the application; without `service` one is built from the environment, and closed with the process."""
    if service is None:
        settings = Settings.from_env(os.environ)  # noqa: TID251 -- the one place of the web process that reads it
        logs.configure(SERVICE, settings.log_level)
        service = bootstrap.build(settings)
        atexit.register(service.close)
    configuration = service.configuration
    render = rendering.renderer(
        timestamps_everywhere=configuration.timestamps_everywhere, basic_auth=configuration.basic_auth
    )
    app = web.create(
        __package__ or SERVICE,
        service=SERVICE,
        protocol="http-mft",
        identities=service.identities,
        checks=service.checks,
        vendor_error=RequestRejected,
        render_error=render,
    )
    routes.register(app, service.operations, service.internal, service.resuming, service.identities)
    return app
