"""Options of the pipeline that an operator can set."""

from dataclasses import dataclass

from mft_common.addresses import Network


@dataclass(frozen=True, kw_only=True)
class PipelineOptions:
    """`rate` is in requests a second and client, 0 for none; clients on this machine are not counted.

    `public_url` is the base of absolute URLs, else the request's own; of the peers in `trusted_proxies` X-Forwarded-*
    and X-Request-ID count; `token_cookie` is that of the IBM MQ login. `all_peers_local` says that the hub's port is
    published on loopback alone, so that every peer counts as one on this machine.
    """

    public_url: str = ""
    trusted_proxies: tuple[Network, ...] = ()
    all_peers_local: bool = False
    rate: int = 500
    burst: int = 1000
    token_cookie: str = "LtpaToken2"  # noqa: S105 -- a name
