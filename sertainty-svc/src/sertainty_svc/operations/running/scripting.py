"""Carry out the action Script: run a stored script under the limits of 106, for a file or for a run (91)."""

import base64
import os
import pwd
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from signal import Signals
from typing import Any, Final, Literal

from mft_common.endpoints.names import printable
from mft_common.errors import MftError
from mft_common.process.runner.scripts import Interrupt, Limits, Line, ScriptEnd, ScriptNotStarted, run_script
from sertainty_svc.domain.logs import TASK_ENTRIES
from sertainty_svc.domain.tasks import SCRIPT_TIME_LIMIT_S
from sertainty_svc.operations.running.order import Order
from sertainty_svc.operations.running.work_folder import give_to_user, work_folder

# The exit code by which a script asks for another try (86).
_TRY_AGAIN: Final = 75
_MEMORY: Final = 2 << 30
_FILE_SIZE: Final = 1 << 30
_OPEN_FILES: Final = 256
_OUTPUT: Final = 1 << 20
# As many as the log of a task keeps.
_LINES: Final = TASK_ENTRIES
_GRACE_S: Final = 5.0

# Called with the content of a message LOG.
Log = Callable[[Sequence[Mapping[str, Any]]], None]


class ScriptUnusable(MftError):  # noqa: N818 -- the name of a condition
    """The script cannot be run at all, which is the task's own fault; the text is a sentence."""


@dataclass(frozen=True, kw_only=True)
class ScriptPaths:
    """The absolute paths that a script is told, "" where there is none; `file` only in a Change task.

    `shown` is the file as the log of the task names it.
    """

    source: str = ""
    destination: str = ""
    file: str = ""
    shown: str = ""


@dataclass(frozen=True)
class ScriptOutcome:
    """How a script ended. `again`: it asks for another try; `stopped`: it was ended on request, and nothing is known.

    `text` is a sentence about every other end than success.
    """

    state: Literal["successful", "again", "failed", "stopped"]
    text: str = ""


def run_stored_script(order: Order, paths: ScriptPaths, log: Log, stop: Interrupt) -> ScriptOutcome:
    """Run the script of an order once, in a folder of its own that is removed afterwards; ScriptUnusable.

    What it writes goes to `log`, line by line while it runs.
    """
    script, command = _command(order)
    seconds = float(order.definition.time_limit_s or SCRIPT_TIME_LIMIT_S)
    limits = Limits(
        seconds=seconds, cpu=seconds, memory=_MEMORY, file_size=_FILE_SIZE, open_files=_OPEN_FILES, output=_OUTPUT,
        lines=_LINES, grace=_GRACE_S,
    )  # fmt: skip
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(work_folder(order))
            _write(folder / script, order)
        except OSError as error:
            raise ScriptUnusable(f"The script has no folder to work in: {error.strerror}.") from error
        try:
            end = run_script(
                [*command, str(folder / script), *filter(None, [paths.file])],
                folder=folder,
                environment=_environment(order, paths, folder),
                limits=limits,
                interrupt=stop,
                on_lines=lambda lines: log([_record(line, paths.shown) for line in lines]),
                user=order.script_user,
            )
        except ScriptNotStarted as error:
            raise ScriptUnusable(f"The script cannot be run: {error}.") from error
    return _outcome(end, seconds)


def _command(order: Order) -> tuple[str, list[str]]:
    """Return the name of the script's file, and the command that runs it; ScriptUnusable."""
    if order.script is None:
        raise ScriptUnusable("There is no such script.")
    extension = Path(order.script[0]).suffix
    interpreter = order.interpreters.get(extension)
    if interpreter is None:
        kind = f"scripts with the extension {extension}" if extension else "scripts without an extension"
        raise ScriptUnusable(f"No interpreter is enabled for {kind}.")
    if order.script_user is not None:
        try:
            pwd.getpwnam(order.script_user)
        except KeyError as error:
            raise ScriptUnusable(f"The script cannot be run: there is no user {order.script_user}.") from error
    # The name of a script never becomes part of a path (17); its extension is one of the configuration's.
    return f"script{extension}", [*order.script_wrapper, *interpreter]


def _write(path: Path, order: Order) -> None:
    assert order.script is not None
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400), "wb") as file:
        file.write(base64.b64decode(order.script[1]))
        # By its descriptor: its folder is that user's already, who may put a link in its place.
        give_to_user(file.fileno(), order.script_user)


def _environment(order: Order, paths: ScriptPaths, folder: Path) -> dict[str, str]:
    """Return all variables of a script; nothing of the service's own environment is among them."""
    return {
        "PATH": order.script_path,
        "LANG": "C.UTF-8",
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "TASK_CONFIG": order.configuration,
        "TASK_NAME": order.definition.name,
        "TASK_SOURCE": paths.source,
        "TASK_DESTINATION": paths.destination,
        "TASK_FILE": paths.file,
        **{f"PARAM_{name}": value for name, value in order.definition.parameters.items()},
    }


def _record(line: Line, file: str) -> dict[str, str]:
    """Return a line as a message LOG has it; a note about the output is a warning."""
    return {
        "text": line.text,
        "level": "Info" if line.stream else "Warning",
        "file": printable(file),
        "stream": line.stream,
    }


def _outcome(end: ScriptEnd, seconds: float) -> ScriptOutcome:
    if end.ended_for == "stopped":
        return ScriptOutcome("stopped", "The script was ended.")
    if end.ended_for == "time":
        return ScriptOutcome("failed", f"The script was ended after its time limit of {seconds:.0f} s.")
    if end.exit_code == 0:
        return ScriptOutcome("successful")
    if end.exit_code == _TRY_AGAIN:
        return ScriptOutcome("again", f"The script asks for another try (exit code {_TRY_AGAIN}).")
    if end.exit_code > 0:
        return ScriptOutcome("failed", f"The script ended with exit code {end.exit_code}.")
    return ScriptOutcome("failed", f"The script was killed by {_signal_name(-end.exit_code)}.")


def _signal_name(number: int) -> str:
    try:
        return Signals(number).name
    except ValueError:
        return f"signal {number}"
