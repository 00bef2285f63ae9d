"""What an operator can set about the door."""

import ipaddress
from dataclasses import dataclass

from mft_common.settings import csv, integer, setting, text

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def networks(raw: str) -> tuple[Network, ...]:
    """Read a comma-separated list of addresses and networks."""
    try:
        return tuple(ipaddress.ip_network(part) for part in csv(raw))
    except ValueError as error:
        raise ValueError(f"is no list of networks: {error}") from error


def base_url(raw: str) -> str:
    """Read an http or https URL without its last slash."""
    if not raw.startswith(("http://", "https://")):
        raise ValueError("is no http or https URL")
    return raw.rstrip("/")


@dataclass(frozen=True, kw_only=True)
class DoorOptions:
    """`rate` is in requests a second and address, 0 for none; callers on this machine are not counted."""

    public_url: str = setting("MFT_PUBLIC_URL", base_url, "", doc="base of absolute URLs, else the request's own")
    trusted_proxies: tuple[Network, ...] = setting(
        "MFT_TRUSTED_PROXIES", networks, (), doc="networks whose X-Forwarded-* and X-Request-ID count"
    )
    rate: int = setting("GATEWAY_REQUEST_RATE", integer, 500, doc="requests a second from one address")
    burst: int = setting("GATEWAY_REQUEST_BURST", integer, 1000, doc="requests at once from one address")
    token_cookie: str = setting("MQMFT_TOKEN_COOKIE", text, "LtpaToken2", doc="the cookie of the IBM MQ login")
