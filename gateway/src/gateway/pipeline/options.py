"""Options of the pipeline that an operator can set."""

import ipaddress
from dataclasses import dataclass

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, kw_only=True)
class PipelineOptions:
    """`rate` is in requests a second and address, 0 for none; callers on this machine are not counted.

    `public_url` is the base of absolute URLs, else the request's own; of the peers in `trusted_proxies` X-Forwarded-*
    and X-Request-ID count; `token_cookie` is that of the IBM MQ login.
    """

    public_url: str = ""
    trusted_proxies: tuple[Network, ...] = ()
    rate: int = 500
    burst: int = 1000
    token_cookie: str = "LtpaToken2"  # noqa: S105 -- a name
