"""Render a transfer of the record as the JSON values of an answer (1.F)."""

from collections.abc import Iterable
from typing import Any, Final

from mft_common.clock import iso
from mqmft_svc.domain.transfers import Item, Transfer, item_state

_PLAIN_FILE: Final = (("size", "size", 0), ("encoding", "encoding", ""), ("endOfLine", "end_of_line", ""))
_SOURCE_QUEUE: Final = (
    ("name", "name", ""),
    ("messageCount", "message_count", 0),
    ("setMqProperties", "set_mq_properties", False),
)
_DESTINATION_QUEUE: Final = (
    *(("name", "name", ""), ("messageCount", "message_count", 0), ("messageLength", "message_length", 0)),
    *(("messageOrGroupId", "message_or_group_id", ""), ("delimiterType", "delimiter_type", "")),
    *(("delimiter", "delimiter", ""), ("delimiterPosition", "delimiter_position", "")),
    ("includeDelimiterInMessage", "include_delimiter", False),
)
_DATASET: Final = (("name", "name", ""), ("attributes", "attributes", ""), ("size", "size", 0))


def _time(at: int | None) -> str:
    return "" if at is None else iso(at)


def default_document(record: Transfer) -> dict[str, Any]:
    """Return the default set, exactly (60)."""
    return {
        "id": record.id,
        "sourceAgent": {"name": record.source_agent},
        "destinationAgent": {"name": record.destination_agent},
        "originator": {"host": record.host, "userId": record.account},
        "statistics": {
            "startTime": iso(record.started_at),
            "endTime": _time(record.ended_at),
            "numberOfFiles": record.files,
            "numberOfFileSuccesses": record.successes,
            "numberOfFileFailures": record.failures,
            "numberOfFileWarnings": record.warnings,
        },
        "status": {"state": record.state},
    }


def whole_document(record: Transfer, items: Iterable[Item]) -> dict[str, Any]:
    """Return all attributes of one transfer (28)."""
    document = default_document(record)
    document["job"] = {"name": record.job_name}
    document["userProperties"] = record.user_properties
    document["sourceAgent"]["qmgrName"] = record.source_qmgr or record.home_qmgr
    document["destinationAgent"]["qmgrName"] = record.destination_qmgr or record.home_qmgr
    document["originator"]["mqmdUserId"] = record.mqmd_user or record.account
    document["statistics"]["retryCount"] = record.retries
    document["status"] |= {"description": record.description, "lastStatusUpdate": iso(record.updated_at)}
    document["transferSet"] = {
        "startTime": _time(record.began_at),
        "bytesSent": record.bytes_sent,
        "item": [_item({**one.leaves, "state": item_state(record, one)}) for one in items],
    }
    return document


def _item(leaves: dict[str, Any]) -> dict[str, Any]:
    source, destination = _side(leaves, "source."), _side(leaves, "destination.")
    return {
        "mode": leaves.get("mode", "binary"),
        "status": {"state": leaves["state"], "description": leaves.get("description", "")},
        "source": _shown(source, {"disposition": source.get("disposition", "leave")}, _SOURCE_QUEUE),
        "destination": _shown(destination, {"actionIfExists": _if_exists(destination)}, _DESTINATION_QUEUE),
    }


def _side(leaves: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in leaves.items() if name.startswith(prefix)}


def _if_exists(side: dict[str, Any]) -> str:
    return "" if side.get("type") == "queue" else side.get("if_exists", "error")


def _shown(side: dict[str, Any], own: dict[str, Any], queue: Iterable[tuple[str, str, Any]]) -> dict[str, Any]:
    """Return a source or destination, with the one object that matches its type (94)."""
    kind = side.get("type", "file")
    shown: dict[str, Any] = {"type": kind, **own}
    # A checksum that is not known is absent, neither null nor empty (89).
    if "md5" in side:
        shown["checksum"] = {"method": "md5", "value": side["md5"].upper()}
    elif "sha256" in side:
        shown["checksum"] = {"method": "sha256", "value": side["sha256"].upper()}
    if kind == "queue":
        shown["queue"] = {name: side.get(key, empty) for name, key, empty in queue}
    elif kind == "dataset":
        shown["dataset"] = {name: side.get(key, empty) for name, key, empty in _DATASET}
    else:
        file = {"path": side.get("path", ""), "lastModified": _time(side.get("modified_at"))}
        shown["file"] = file | {name: side.get(key, empty) for name, key, empty in _PLAIN_FILE}
    return shown
