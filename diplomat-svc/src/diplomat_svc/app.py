"""Create the WSGI application of the Diplomat API."""

import os

from flask import Flask

from diplomat_svc import routes
from diplomat_svc.bootstrap import Service, build
from diplomat_svc.settings import SERVICE, Settings
from mft_common import logs


def create_app(service: Service | None = None) -> Flask:
    """Return the application of `service`, or of one built from the environment."""
    if service is None:
        environ = dict(os.environ)  # noqa: TID251 -- where this process reads its environment
        settings = Settings.from_env(environ)
        logs.configure(SERVICE, settings.log_level)
        service = build(settings, environ=environ)
    return routes.create(service.operations, service.identities, service.checks)
