"""Show what an ID says, and whether it can be used here and now."""

from collections.abc import Callable, Mapping
from typing import Any

from crossdock.ids.access import Access
from mft_common.clock import iso
from mft_common.endpoints.errors import TransferError
from mft_common.endpoints.names import printable
from mft_common.errors import MftError
from sertainty_svc.schemas.ids import read_id


def describe(access: Access, contents: bytes) -> dict[str, Any]:
    """Return the content of an ID as plain data, and why it does not protect and does not open here, or None.

    TransferError where it is no ID that can be used.
    """
    document = read_id(contents)
    definition = document.definition
    rules = definition.rules
    return {
        "name": definition.name,
        "id": definition.uid,
        "created": definition.created,
        "preset": definition.preset,
        "algorithm": definition.algorithm,
        "expiration": None if rules.expiration is None else iso(rules.expiration),
        "hardware_deny": rules.hardware_deny,
        "schedule_deny": rules.schedule_deny,
        "machines": [
            {"id": machine.id, "name": machine.name, "has_key": machine.id in document.wraps}
            for machine in definition.machines
        ],
        "protect_problem": _problem(lambda: access.recipient(contents)),
        "unprotect_problem": _problem(lambda: access.opener(contents)),
    }


def as_text(found: Mapping[str, Any]) -> str:
    """Return the lines of `id show`; no name can break a line."""
    machines = [f"{one['name']} ({one['id']}){'' if one['has_key'] else ', has no key'}" for one in found["machines"]]
    rows = {
        **{name: found[name] or "-" for name in ("name", "id", "created", "preset", "algorithm", "expiration")},
        "hardware": "bound" if found["hardware_deny"] else "-",
        "schedule": "restricted" if found["schedule_deny"] else "-",
        **{f"machine {number}": text for number, text in enumerate(machines, 1)},
        "protects": found["protect_problem"] or "yes",
        "opens here": found["unprotect_problem"] or "yes",
    }
    width = max(map(len, rows))
    return "\n".join(f"{name.ljust(width)}  {printable(text)}" for name, text in rows.items())


def _problem(use: Callable[[], object]) -> str | None:
    try:
        use()
    except (TransferError, MftError) as error:
        return str(error)
    return None
