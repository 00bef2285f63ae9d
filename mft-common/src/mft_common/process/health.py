"""Serve `/healthz` (the process is alive) and `/readyz` (its dependencies answer)."""

import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from flask import Blueprint

from mft_common import logs
from mft_common.errors import MftError

Checks = Mapping[str, Callable[[], None]]

# Below this a database cannot commit for long.
LEAST_FREE: Final = 1 << 20


class Draining:
    """The state of a process that was told to stop: it still answers, and its readiness is off."""

    def __init__(self) -> None:
        self._flag = threading.Event()

    def begin(self) -> None:
        """Turn readiness off for the rest of this process."""
        self._flag.set()

    def check(self) -> None:
        """Raise MftError once draining has begun."""
        if self._flag.is_set():
            raise MftError("this process is stopping")


# One flag for the process: it stops once, and the signal handler that sets the flag cannot reach the application.
DRAINING = Draining()


def disk_space(folder: Path) -> Callable[[], None]:
    """Return a check that raises MftError while the file system of `folder` has less than 1 MiB free."""

    def check() -> None:
        found = os.statvfs(folder)
        # Blocks that the file system reserves for root are free for root alone.
        free = (found.f_bfree if os.geteuid() == 0 else found.f_bavail) * found.f_frsize
        if found.f_blocks and free < LEAST_FREE:
            raise MftError(f"the disk of {folder} is full: {free} bytes are free")

    return check


def ask(checks: Checks) -> tuple[dict[str, Any], int]:
    """Run every check now; return `({"ok": [names], "failing": {name: reason}}, 200 or 503)`."""
    ok: list[str] = []
    failing: dict[str, str] = {}
    for name, check in {"process": DRAINING.check, **checks}.items():
        try:
            check()
            ok.append(name)
        except MftError as error:
            failing[name] = str(error)
        except Exception as error:  # noqa: BLE001 -- whatever a dependency raises, it is not ready
            logs.get("health").warning("check.failed", check=name, error=repr(error))
            failing[name] = "does not answer"
    return {"ok": ok, "failing": failing}, 503 if failing else 200


def blueprint(checks: Checks) -> Blueprint:
    """Return `/healthz` and `/readyz`."""
    pages = Blueprint("health", __name__)

    @pages.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "alive"}

    @pages.get("/readyz")
    def readyz() -> tuple[dict[str, Any], int]:
        return ask(checks)

    return pages
