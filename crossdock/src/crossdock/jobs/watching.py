"""Follow a job to its end, with a bar on a terminal."""

import threading
from collections.abc import Callable
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from diplomat_svc.domain.jobs import Job
from diplomat_svc.domain.names import printable
from diplomat_svc.domain.states import COMPLETE, NOT_FOUND, SUCCESSFUL, WARNING

_EVERY_S: Final = 0.2
# The exit codes of a job that was watched; every other end is 1.
_CODES: Final = {SUCCESSFUL: 0, NOT_FOUND: 3, WARNING: 4}


def exit_code(job: Job) -> int:
    """Return the exit code for a job that is over: 0 Successful, 3 nothing found, 4 Warning, 1 every other end."""
    return _CODES.get(job.completion or "", 1)


def watch(read: Callable[[], Job], console: Console | None) -> Job:
    """Return the job once it is over; `read` returns it as it is now. Without a console nothing is shown."""
    pause = threading.Event()
    if console is None:
        while (job := read()).status != COMPLETE:
            pause.wait(_EVERY_S)
        return job
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
            job = read()
            name = printable(job.definition.name)[-40:].replace("[", r"\[")
            progress.update(
                task, description=f"{name} {job.status}", completed=job.bytes_done, total=job.bytes_total or None
            )
            if job.status == COMPLETE:
                return job
            pause.wait(_EVERY_S)
