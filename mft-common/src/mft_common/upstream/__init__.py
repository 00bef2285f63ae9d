"""Hand a WSGI request on to a service, whether it lives in this process or at a URL."""

from mft_common.upstream.contract import (
    RequestBodyCut,
    Upstream,
    UpstreamBroken,
    UpstreamError,
    UpstreamUnavailable,
)
from mft_common.upstream.url import REPEATABLE, UrlUpstream
from mft_common.upstream.wsgi import WsgiUpstream

__all__ = [
    "REPEATABLE",
    "RequestBodyCut",
    "Upstream",
    "UpstreamBroken",
    "UpstreamError",
    "UpstreamUnavailable",
    "UrlUpstream",
    "WsgiUpstream",
]
