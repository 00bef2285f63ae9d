"""Make one try of a call, in a child of a worker."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from mft_common import exchanges
from mft_common.exchanges import AddressRefused, AllowedHosts, NoAnswer
from mqmft_svc.domain.calls import ANSWER_LENGTH, CallRequest, Try

# A character has four bytes at most; behind them there is room for secrets, which are replaced by shorter texts.
_KEPT_BYTES: Final = 4 * ANSWER_LENGTH + 8192
_NOT_LISTED: Final = "the host is not one that calls may reach"
# The same for every try of a call, also after a crash: a receiver can tell that it had the call already.
ID_HEADER: Final = "Idempotency-Key"


def make(call: CallRequest, id_: str, body: Mapping[str, Any], hosts: Iterable[str]) -> Try:
    """Send the request of a call once, and return how that went.

    `id_` identifies the call to its receiver. `hosts` are those that calls may reach, which are looked at again: the
    name may have another address than before, and the setting may have changed (233).
    """
    allowed = AllowedHosts.of(hosts)
    if not allowed.allows(call.host, call.port):
        return Try(reason=_NOT_LISTED, is_final=True)
    content = json.dumps(body, ensure_ascii=False).encode("utf-8", "backslashreplace") if call.has_body else None
    request = exchanges.Request(url=call.url, method=call.method, headers=_headers(call, id_), body=content)
    try:
        answer = exchanges.send(
            request,
            within=call.timeout_s,
            idle=call.timeout_s,
            permit=lambda address, port: allowed.permits(call.host, address, port),
            keep=_KEPT_BYTES,
        )
    except AddressRefused as error:
        return Try(reason=str(error), is_final=True)
    except NoAnswer as error:
        return Try(reason=str(error))
    reason = "" if call.is_success(answer.status) else f"the receiver answered {answer.status}"
    return Try(status=answer.status, reason=reason, answer=_kept(call, answer.body))


def _headers(call: CallRequest, id_: str) -> dict[str, str]:
    own = {"User-Agent": "crossdock", ID_HEADER: id_}
    if call.has_body:
        own["Content-Type"] = "application/json"
    given = {name.lower() for name in call.headers}
    return {**{name: value for name, value in own.items() if name.lower() not in given}, **call.headers}


def _kept(call: CallRequest, body: bytes) -> str:
    """Return the first characters of an answer as text that every database takes."""
    text = body.decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
    return call.without_secrets(text, is_cut=len(body) >= _KEPT_BYTES)[:ANSWER_LENGTH]
