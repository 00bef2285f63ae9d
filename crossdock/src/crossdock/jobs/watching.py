"""Follow a job, or other work in a database, to its end, with a bar on a terminal."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from diplomat_svc.domain.jobs import Job
from diplomat_svc.domain.names import printable
from diplomat_svc.domain.states import COMPLETE, NOT_FOUND, SUCCESSFUL, WARNING

T = TypeVar("T")

_EVERY_S: Final = 0.2
# The exit codes of a job that was watched; every other end is 1.
_CODES: Final = {SUCCESSFUL: 0, NOT_FOUND: 3, WARNING: 4}


@dataclass(frozen=True)
class Shown:
    """The content of a bar: a name, a state and how many bytes are done; `total` is 0 or None where it is not known."""

    name: str
    state: str
    done: int
    total: int | None


def exit_code(job: Job) -> int:
    """Return the exit code for a job that is over: 0 Successful, 3 nothing found, 4 Warning, 1 every other end."""
    return _CODES.get(job.completion or "", 1)


def watch(read: Callable[[], Job], console: Console | None) -> Job:
    """Return the job once it is over; `read` returns it as it is now. Without a console nothing is shown."""
    return follow(
        read,
        lambda job: job.status == COMPLETE,
        lambda job: Shown(job.definition.name, job.status, job.bytes_done, job.bytes_total),
        console,
    )


def follow(
    read: Callable[[], T], is_over: Callable[[T], bool], shown: Callable[[T], Shown], console: Console | None
) -> T:
    """Return what `read` returns once that is over; a bar shows it meanwhile, without a console nothing does."""
    pause = threading.Event()
    if console is None:
        while not is_over(found := read()):
            pause.wait(_EVERY_S)
        return found
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        console=console,
        transient=True,
    ) as progress:
        task = progress.add_task("", total=None)
        while True:
            found = read()
            now = shown(found)
            name = printable(now.name)[-40:].replace("[", r"\[")
            progress.update(task, description=f"{name} {now.state}", completed=now.done, total=now.total or None)
            if is_over(found):
                return found
            pause.wait(_EVERY_S)
