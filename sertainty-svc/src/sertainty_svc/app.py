"""Create the WSGI application of this service."""

import os

from flask import Flask

from mft_common import logs, web
from sertainty_svc import PROTOCOL, SERVICE, bootstrap, routes
from sertainty_svc.bootstrap import Service
from sertainty_svc.errors import Outcome
from sertainty_svc.settings import Settings


def create_app(service: Service | None = None) -> Flask:
    """Return the application; without `service` one is built from the environment."""
    if service is None:
        settings = Settings.from_env(os.environ)  # noqa: TID251 -- the one place of the web process that reads it
        logs.configure(SERVICE, settings.log_level)
        service = bootstrap.build(settings)
    app = web.create(
        __package__ or SERVICE,
        service=SERVICE,
        protocol=PROTOCOL,
        identities=service.identities,
        checks=service.checks,
        vendor_error=Outcome,
        render_error=routes.render_error,
    )
    app.config.update(PROVIDE_AUTOMATIC_OPTIONS=False, MAX_CONTENT_LENGTH=service.section.max_body)
    app.register_blueprint(routes.blueprint(service.operations))
    return app
