"""Give a web server the gateway: the pipeline in front of the services, and the internal API on a port of its own."""

import os
from collections.abc import Iterable, Mapping
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication

from gateway.bootstrap import Service, build
from gateway.pipeline import Pipeline, PipelineOptions
from gateway.routes import is_internal
from gateway.routing import ROUTES, with_limits
from gateway.settings import Settings
from mft_common import logs
from mft_common.http1 import REPEATABLE, Upstream, UrlUpstream


def create_app(service: Service | None = None, *, upstreams: Mapping[str, Upstream] | None = None) -> WSGIApplication:
    """Return the hub's one application.

    `service` is built from the environment where none is given; the configuration has been applied by then (see
    `gunicorn_conf`). `upstreams` go by service name, and are those URLs that the settings name where none are given.
    """
    if service is None:
        environ = dict(os.environ)  # noqa: TID251 -- the one place where this process reads its environment
        settings = Settings.from_env(environ)
        logs.configure("gateway", settings.log_level)
        service = build(settings)
    return _application(service, _urls(service.settings) if upstreams is None else upstreams)


def _urls(settings: Settings) -> Mapping[str, Upstream]:
    unsafe = {route.service for route in ROUTES if not route.safe_methods}
    return {
        name: UrlUpstream(url, repeatable=() if name in unsafe else REPEATABLE)
        for name, url in settings.upstreams.items()
    }


def _application(service: Service, upstreams: Mapping[str, Upstream]) -> WSGIApplication:
    settings, pages = service.settings, service.pages()
    pipeline = Pipeline(
        own=pages,
        upstreams=upstreams,
        directory=service.operations,
        signer=service.signer,
        routes=with_limits({"filestore-svc": settings.upload_limit}),
        options=PipelineOptions(
            public_url=settings.public_url,
            trusted_proxies=settings.trusted_proxies,
            all_peers_local=settings.trust == "any",
            rate=settings.request_rate,
            burst=settings.request_burst,
            token_cookie=settings.token_cookie,
        ),
    )

    def application(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        # Services sign who they are, and the pipeline would strip that header, which no client may send.
        if is_internal(environ, settings.internal_port):
            return pages(environ, start_response)
        return pipeline(environ, start_response)

    return application
