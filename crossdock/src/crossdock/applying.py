"""Hand a configuration file to the hub that runs on a data folder, and hear what it says of it."""

import json
import os
import signal
import threading
import time
import uuid
from pathlib import Path
from typing import Any, Final

from crossdock.errors import CannotStart
from mft_common.errors import ConfigError
from mft_common.process import file_locks

_REQUEST: Final = "apply.request"
_RESULT: Final = "apply.result"
_WAIT_S: Final = 60.0


def ask(data: Path, file: Path) -> None:
    """Have the running hub take `file` as its configuration.

    ConfigError lists every problem that it found, and nothing has changed then. CannotStart where no hub runs on
    `data`, or where it does not answer within a minute.
    """
    state = data / "state"
    pid = _hub_of(state)
    if pid is None:
        raise CannotStart(f"no hub runs on {data}: name its folder with --data")
    wanted = uuid.uuid4().hex
    _write(state / _REQUEST, {"id": wanted, "file": str(file.absolute())})
    try:
        os.kill(pid, signal.SIGUSR1)
    except ProcessLookupError as error:
        raise CannotStart(f"no hub runs on {data} any more") from error
    deadline, pause = time.monotonic() + _WAIT_S, threading.Event()
    while (result := _read(state / _RESULT)).get("id") != wanted:
        if time.monotonic() > deadline:
            raise CannotStart("the hub did not answer; its log says why")
        pause.wait(0.05)
    if result["problems"]:
        raise ConfigError(result["problems"])


def requested(state: Path) -> tuple[str, Path]:
    """Return the id of the newest request and the file that it names; CannotStart where there is none."""
    request = _read(state / _REQUEST)
    if not request:
        raise CannotStart("nobody asked for a configuration to be applied")
    return request["id"], Path(request["file"])


def answer(state: Path, request: str, problems: list[str]) -> None:
    """Say what became of a request; no problems means that it was applied."""
    _write(state / _RESULT, {"id": request, "problems": problems})
    (state / _REQUEST).unlink(missing_ok=True)


def _hub_of(state: Path) -> int | None:
    """Return the process that watches the hub, None where nobody holds the lock: its number means nothing then."""
    try:
        with (state / "hub.lock").open("r") as file:
            if file_locks.is_held(file.fileno()):
                return int(file.read())
    except (OSError, ValueError):
        pass
    return None


def _write(path: Path, content: dict[str, Any]) -> None:
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text(json.dumps(content), encoding="utf-8")
    temporary.rename(path)


def _read(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content
