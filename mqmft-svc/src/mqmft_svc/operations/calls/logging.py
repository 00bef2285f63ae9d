"""Write the tries of calls to the log, without the secrets of their URLs and headers."""

from mft_common import logs
from mqmft_svc.domain.calls import CallRequest, CallState


def log_try(call: CallRequest, state: CallState, **fields: str) -> None:
    """Write how a try went; `fields` say which call it is."""
    log, last = logs.get("calls"), state.last
    write = log.warning if last.reason else log.info
    write(
        "call.tried",
        **fields,
        host=call.name,
        attempt=state.tries,
        status=last.status,
        outcome=state.outcome,
        reason=last.reason,
        received=last.answer,
    )
