"""Show the progress of a copy as bars on a terminal."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from mft_common.endpoints.names import printable


class FileBar:
    """The bar of one file; this one shows nothing."""

    def progress(self, done: int) -> None:
        """Note how many bytes of the file are read."""

    def end(self, size: int) -> None:
        """Note that the file is over; `size` counts in the bar of all files."""


class Bars:
    """No bars: the form for pipes, files and `--format json`."""

    @contextmanager
    def showing(self, files: int, size: int) -> Iterator[None]:
        """Show bars for the block; there are `files` files of `size` bytes in all."""
        del files, size
        yield

    def begin(self, path: str, size: int | None) -> FileBar:
        """Return the bar of a file that begins; `size` in bytes, None where it is not known."""
        del path, size
        return FileBar()


class TerminalBars(Bars):
    """A bar for each file at hand and one for all files, on stderr; several threads may use them."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", table_column=None),
            BarColumn(),
            DownloadColumn(binary_units=True),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._all: TaskID | None = None

    @contextmanager
    def showing(self, files: int, size: int) -> Iterator[None]:
        """See Bars."""
        with self._progress:
            if files > 1:
                self._all = self._progress.add_task(f"{files} files", total=size or None)
            yield

    def begin(self, path: str, size: int | None) -> FileBar:
        """See Bars."""
        # Names come from elsewhere: no control character and no markup of theirs reaches the terminal.
        name = printable(path)[-40:].replace("[", r"\[")
        return _TerminalBar(self._progress, self._progress.add_task(name, total=size), self._all)


class _TerminalBar(FileBar):
    """The bar of one file, whose bytes count in the bar of all files as well."""

    def __init__(self, progress: Progress, task: TaskID, whole: TaskID | None) -> None:
        self._progress = progress
        self._task = task
        self._whole = whole
        self._lock = threading.Lock()
        self._done = 0

    def progress(self, done: int) -> None:
        """See FileBar."""
        self._progress.update(self._task, completed=done)
        self._count(done)

    def end(self, size: int) -> None:
        """See FileBar."""
        self._progress.remove_task(self._task)
        self._count(size)

    def _count(self, done: int) -> None:
        with self._lock:
            more, self._done = done - self._done, done
        if self._whole is not None:
            self._progress.update(self._whole, advance=more)
