"""Render a call as the JSON values of an answer (190)."""

from typing import Any

from mft_common.clock import iso
from mqmft_svc.domain.managed_calls import ManagedCall


def default_document(call: ManagedCall) -> dict[str, Any]:
    """Return the default attributes."""
    return {
        "id": call.id,
        "agent": {"name": call.agent},
        "originator": {"host": call.host, "userId": call.account},
        "statistics": {
            "startTime": iso(call.started_at),
            "endTime": "" if call.ended_at is None else iso(call.ended_at),
        },
        "status": {"state": call.state},
    }


def whole_document(call: ManagedCall) -> dict[str, Any]:
    """Return all attributes; of the URL the part that holds no secret."""
    document = default_document(call)
    document["agent"]["qmgrName"] = call.qmgr
    document["originator"]["mqmdUserId"] = call.account
    document["status"] |= {"description": call.description, "lastStatusUpdate": iso(call.updated_at)}
    document["job"] = {"name": call.job_name}
    document["userProperties"] = dict(call.user_properties)
    document["call"] = {
        "type": "http",
        "name": call.name,
        "outcome": call.outcome,
        "resultCode": call.result_code,
        "retryCount": max(call.tries - 1, 0),
        "answer": call.answer,
    }
    return document
