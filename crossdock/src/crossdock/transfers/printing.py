"""Show transfers as tables for people, and as the documents of the REST API for programs."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from crossdock.jobs.printing import moment, table
from diplomat_svc.domain.names import printable
from mqmft_svc.domain.transfers import Item, Transfer, item_state
from mqmft_svc.schemas.documents import whole_document
from mqmft_svc.schemas.submissions import submission

_HEAD: Final = ("ID", "STATE", "FROM", "TO", "FILES", "BYTES", "STARTED", "ENDED")
_TEMPLATE_HEAD: Final = ("NAME", "FROM", "TO", "ITEMS", "JOB", "START")
_ITEM_HEAD: Final = ("SOURCE", "DESTINATION", "STATE", "SIZE", "MD5", "REASON")
_MOST_FAILURES: Final = 3
# The half of an id that differs; the other one names the hub.
_DIFFERS: Final = 16
_TIMES: Final = ("started_at", "began_at", "ended_at", "updated_at")
_FIELDS: Final = (
    *("id", "protocol", "network", "state", "description", "source_agent", "source_qmgr", "destination_agent"),
    *("destination_qmgr", "account", "label", "host", "job_name", *_TIMES),
    *("files", "successes", "failures", "warnings", "bytes_sent", "retries"),
)


def short(id_: str) -> str:
    """Return the end of an id that tells it from the others of a hub."""
    return id_[-_DIFFERS:]


def transfers(found: Sequence[Transfer]) -> str:
    """Return the table of `transfer list`."""
    rows = (
        (
            short(one.id), one.state, one.source_agent or "-", one.destination_agent or "-",
            f"{one.successes}/{one.files}", str(one.bytes_sent), moment(one.started_at), moment(one.ended_at),
        )
        for one in found
    )  # fmt: skip
    return table(_HEAD, rows)


def transfers_json(found: Sequence[Transfer]) -> list[dict[str, Any]]:
    """Return the documents of `transfer list`, without the items."""
    documents = [whole_document(one, ()) for one in found]
    for document in documents:
        del document["transferSet"]["item"]
    return documents


def transfer(one: Transfer, items: Sequence[Item]) -> str:
    """Return the lines of `transfer show`: fields that are not empty, user properties, and a table of the items."""
    texts = {name: _text(name, getattr(one, name)) for name in _FIELDS}
    texts |= {f"property {name}": value for name, value in sorted(one.user_properties.items())}
    shown = {printable(name): printable(text) for name, text in texts.items() if text}
    width = max(map(len, shown))
    lines = [f"{name.ljust(width)}  {text}" for name, text in shown.items()]
    if not items:
        return "\n".join(lines)
    return "\n".join((*lines, "", table(_ITEM_HEAD, (_row(item.leaves, item_state(one, item)) for item in items))))


def templates(found: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the table of `transfer templates`, of the bodies of requests by their names."""
    wanted = {name: submission(body) for name, body in found.items()}
    rows = (
        (
            name, one.source_agent.name, one.destination_agent.name, str(len(one.items)), one.job_name or "-",
            "-" if one.schedule is None else one.schedule.start,
        )
        for name, one in wanted.items()
    )  # fmt: skip
    return table(_TEMPLATE_HEAD, rows)


def end(one: Transfer) -> str:
    """Return state and reason of a transfer that is over, in one line."""
    return f"{one.state}: {printable(one.description)}"


def failures(one: Transfer, items: Sequence[Item]) -> list[str]:
    """Return sources and reasons of the first items that failed, where that of the transfer does not tell them."""
    failed = [item.leaves for item in items if item.leaves.get("state") == "failed" and item.leaves.get("description")]
    told = [leaves for leaves in failed if leaves["description"].partition(": ")[2] not in one.description]
    shown = [printable(f"{_side(leaves, 'source')}: {leaves['description']}") for leaves in told[:_MOST_FAILURES]]
    if len(told) > len(shown):
        shown.append(f"{len(told) - len(shown)} more: crossdock transfer show {short(one.id)}")
    return shown


def _text(name: str, value: Any) -> str:
    return moment(value) if name in _TIMES else str(value)


def _row(leaves: dict[str, Any], state: str) -> tuple[str, ...]:
    return (
        _side(leaves, "source"),
        _side(leaves, "destination"),
        state,
        str(leaves.get("source.size", "-")),
        leaves.get("destination.md5") or leaves.get("source.md5") or "-",
        leaves.get("description") or "-",
    )


def _side(leaves: dict[str, Any], side: str) -> str:
    return str(leaves.get(f"{side}.path") or leaves.get(f"{side}.name") or "-")
