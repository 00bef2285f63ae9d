"""Create the WSGI application of this service."""

import os

from flask import Flask

from mft_common import logs, web
from mqmft_svc import PROTOCOL, SERVICE, bootstrap, routes, wire
from mqmft_svc.bootstrap import Service
from mqmft_svc.errors import RestError
from mqmft_svc.settings import Settings


def create_app(service: Service | None = None) -> Flask:
    """Return the application; without `service` one is built from the environment."""
    if service is None:
        environ = os.environ  # noqa: TID251 -- the one place of the web process that reads the environment
        settings = Settings.from_env(environ)
        settings.require_security()
        logs.configure(SERVICE, settings.log_level)
        service = bootstrap.build(settings, reader=bootstrap.reader_for(settings, environ))
    app = web.create(
        __package__ or SERVICE,
        service=SERVICE,
        protocol=PROTOCOL,
        identities=service.identities,
        checks=service.checks,
        vendor_error=RestError,
        render_error=routes.error_renderer(service.operations),
    )
    # A method that a path does not have is 405, OPTIONS too.
    app.config.update(PROVIDE_AUTOMATIC_OPTIONS=False, MAX_CONTENT_LENGTH=wire.MAX_BODY)
    app.register_blueprint(routes.blueprint(service.operations))
    return app
