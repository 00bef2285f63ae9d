"""Hand a WSGI request on to a service, whether it lives in this process or at a URL."""

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
