"""Call a service of this process."""

from collections.abc import Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication


class WsgiUpstream:
    """A WSGI application of this process.

    The application's result is returned as it is: a server recognises its own `wsgi.file_wrapper` by its class and
    sends such a file without reading it.
    """

    remote = False

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def call(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """See Upstream."""
        return self._application(environ, start_response)
