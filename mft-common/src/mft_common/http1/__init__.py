"""HTTP/1.1: the grammar that server and client share, and the way of a WSGI request to a service."""

from mft_common.http1.contract import (
    RequestBody,
    RequestBodyError,
    Upstream,
    UpstreamBroken,
    UpstreamError,
    UpstreamUnavailable,
)
from mft_common.http1.url import REPEATABLE, UrlUpstream
from mft_common.http1.wsgi import WsgiUpstream

__all__ = [
    "REPEATABLE",
    "RequestBody",
    "RequestBodyError",
    "Upstream",
    "UpstreamBroken",
    "UpstreamError",
    "UpstreamUnavailable",
    "UrlUpstream",
    "WsgiUpstream",
]
