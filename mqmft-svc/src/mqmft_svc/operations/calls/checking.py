"""Check the hosts of calls when they are asked for (233)."""

from collections.abc import Iterable, Mapping

from mft_common.exchanges import AllowedHosts
from mqmft_svc.domain.calls import CallRequest
from mqmft_svc.errors import BodyInvalid


def check_hosts(hosts: Iterable[str], calls: Mapping[str, CallRequest]) -> None:
    """Raise BodyInvalid for the first call to a host that calls may not reach; `calls` are by their paths in the body.

    The addresses of a name are decided about when the call is made.
    """
    allowed = AllowedHosts.of(hosts)
    for path, call in calls.items():
        if not allowed.allows(call.host, call.port):
            reason = "its host is not one that calls may reach (MQMFT_CALL_HOSTS)."
            raise BodyInvalid(name=f"{path}.url", reason=reason)
