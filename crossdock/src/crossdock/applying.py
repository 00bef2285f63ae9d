"""Ask the hub that runs on a data folder to apply a configuration file, and read its answer."""

import json
import os
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from crossdock.errors import CannotStart
from mft_common.errors import ConfigError
from mft_common.process import file_locks

_LOCK: Final = "apply.lock"
_REQUEST: Final = "apply.request"
_RESULT: Final = "apply.result"
_WAIT_S: Final = 60.0
_POLL_S: Final = 0.05


def ask(data: Path, file: Path) -> None:
    """Let the running hub apply `file` as its configuration; of several callers one asks at a time.

    ConfigError lists every problem that the hub found, and nothing has changed then. CannotStart where no hub runs on
    `data`, where it does not answer within a minute, or where it failed for a reason outside of the file.
    """
    state = data / "state"
    if _supervisor_of(state) is None:
        raise CannotStart(f"no hub runs on {data}: name its folder with --data")
    with _turn(state):
        pid = _supervisor_of(state)
        if pid is None:
            raise CannotStart(f"no hub runs on {data} any more")
        request = uuid.uuid4().hex
        _write(state / _REQUEST, {"id": request, "file": str(file.absolute())})
        try:
            os.kill(pid, signal.SIGUSR1)
        except ProcessLookupError as error:
            raise CannotStart(f"no hub runs on {data} any more") from error
        _poll(lambda: _read(state / _RESULT).get("id") == request, "the hub did not answer; its log says why")
        result = _read(state / _RESULT)
    if result["problems"]:
        raise ConfigError(result["problems"])
    if result["failure"]:
        raise CannotStart(result["failure"])


def requested(state: Path) -> tuple[str, Path] | None:
    """Return the id of the request that waits and the file that it names, None where there is none."""
    request = _read(state / _REQUEST)
    return (request["id"], Path(request["file"])) if request else None


def answer(state: Path, request: str, problems: Sequence[str] = (), failure: str = "") -> None:
    """Answer a request: applied, refused for the `problems` of the file, or failed for another reason."""
    (state / _REQUEST).unlink(missing_ok=True)
    _write(state / _RESULT, {"id": request, "problems": list(problems), "failure": failure})


def clear(state: Path) -> None:
    """Remove a request that an earlier run of the hub did not answer."""
    (state / _REQUEST).unlink(missing_ok=True)


@contextmanager
def _turn(state: Path) -> Iterator[None]:
    """Wait until no other `crossdock apply` talks to this hub, and keep others waiting inside the block."""
    with (state / _LOCK).open("w") as file:
        _poll(lambda: file_locks.acquire(file.fileno()), "another `crossdock apply` has not ended")
        yield


def _poll(condition: Callable[[], bool], failure: str) -> None:
    """Wait until `condition()` holds; CannotStart with the text `failure` when it does not within a minute."""
    deadline, pause = time.monotonic() + _WAIT_S, threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            raise CannotStart(failure)
        pause.wait(_POLL_S)


def _supervisor_of(state: Path) -> int | None:
    """Return the process id of the hub's supervisor; None where the lock is free: the number in it is stale then."""
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
