"""Make the demo's folders and files at the first start; later starts neither empty nor restore them."""

import os
from importlib import resources
from pathlib import Path
from typing import Final

_FOLDERS: Final = (
    *("outbox", "partner", "received", "agent1", "agent2"),
    *("protect/in", "protect/out", "protect/done", "protect/failed"),
)
_SLOW_BYTES: Final = 8 * 1024 * 1024
_LAID: Final = ".laid-out"


def configuration() -> str:
    """Return the text of the built-in configuration."""
    return resources.files("crossdock").joinpath("demo.yaml").read_text(encoding="utf-8")


def lay_out(data: Path) -> None:
    """Make `data/demo` with the files that the demo's transactions and agents begin with, once."""
    root = data / "demo"
    for name in _FOLDERS:
        (root / name).mkdir(parents=True, exist_ok=True)
    if (root / _LAID).exists():
        return
    (root / "outbox/301.txt").write_text("Bill of lading 301: twelve crates of lamp oil.\n", encoding="utf-8")
    (root / "outbox/slow.bin").write_bytes(_pattern(_SLOW_BYTES))
    (root / "agent1/report.txt").write_text("Quay report: all quiet.\n", encoding="utf-8")
    (root / "agent1/data.bin").write_bytes(_pattern(64 * 1024))
    (root / _LAID).touch()
    os.sync()


def _pattern(length: int) -> bytes:
    """Return bytes that differ from block to block, so that a block at the wrong offset is noticed."""
    block = b"".join(number.to_bytes(4, "big") for number in range(64 * 1024 // 4))
    return (block * (length // len(block) + 1))[:length]
