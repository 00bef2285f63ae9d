"""Find out where a request comes from; forwarding headers count from trusted proxies alone."""

import re
from collections.abc import Sequence

from mft_common import addresses, logs
from mft_common.addresses import Network

_HOST = re.compile(r"(?:[0-9A-Za-z._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")


def forwarded_client(forwarded_for: str, proxies: Sequence[Network]) -> str | None:
    """Return the rightmost address in an X-Forwarded-For that is no trusted proxy, None where it names no address.

    Addresses further left were written by parties that are not trusted. A zone identifier (`fe80::1%eth0`) names an
    interface of another machine, has any length, and makes the text no address.
    """
    named = None
    for part in reversed(forwarded_for.split(",")):
        candidate = part.strip().removeprefix("[").removesuffix("]")
        if "%" in candidate or addresses.parse(candidate) is None:
            break
        named = candidate
        if not addresses.is_within(candidate, proxies):
            break
    return named


def last_host(value: str) -> str:
    """Return the last host of an X-Forwarded-Host, empty when it is malformed."""
    host = value.rpartition(",")[2].strip()
    return host if _HOST.fullmatch(host) else ""


class ProxyWarning:
    """Tells the operator once about a proxy on this machine whose forwarding headers do not count."""

    def __init__(self) -> None:
        self._logged = False

    def log(self, peer: str) -> None:
        """Log that the peer forwards requests and is not trusted."""
        if not self._logged:
            self._logged = True
            logs.get("pipeline").warning("proxy.untrusted", peer=peer, setting="MFT_TRUSTED_PROXIES")
