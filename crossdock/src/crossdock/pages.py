"""Write the pages of docs/ that are made from the code."""

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from mft_common.events import EVENTS
from mft_common.events.topology import CONSUMERS


def write(folder: Path, *, only_check: bool) -> list[Path]:
    """Write each generated page that differs from what the code says, and return those pages."""
    stale = []
    for name, text in {"events.md": _events()}.items():
        page = folder / name
        if not page.exists() or page.read_text(encoding="utf-8") != text:
            stale.append(page)
            if not only_check:
                page.write_text(text, encoding="utf-8")
    return stale


def _publishers() -> Mapping[str, Sequence[type]]:
    from crossdock.hub import PACKAGES

    modules = {"gateway": "gateway", **{name: package.__name__ for name, package in PACKAGES.items()}}
    return {name: importlib.import_module(f"{module}.events").PUBLISHES for name, module in modules.items()}


def _events() -> str:
    """Return the table of publishers and consumers, from each service's PUBLISHES and the topology."""
    publishers = _publishers()
    lines = [
        "# Events: publishers and consumers",
        "",
        "Made by `make docs` from each service's `PUBLISHES` and from `mft_common.events.topology`; do not edit.",
        "",
        "| event | published by | consumed by |",
        "| --- | --- | --- |",
    ]
    for type_name, event in EVENTS.items():
        senders = ", ".join(name for name, published in publishers.items() if event in published) or "none yet"
        consumers = ", ".join(name for name, consumed in CONSUMERS.items() if event in consumed) or "none yet"
        lines.append(f"| `{type_name}` | {senders} | {consumers} |")
    return "\n".join([*lines, ""])
