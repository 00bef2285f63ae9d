"""Show the progress of a copy as bars on a terminal."""

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


class Bars:
    """No bars: the form for pipes, files and `--format json`."""

    @contextmanager
    def showing(self, files: int, size: int) -> Iterator[None]:
        """Show bars for the block; there are `files` files of `size` bytes in all."""
        del files, size
        yield

    def begin(self, path: str, size: int | None) -> None:
        """Note that a file begins; `size` in bytes, None where it is not known."""

    def progress(self, done: int) -> None:
        """Note how many bytes of the file are read."""

    def end(self, size: int) -> None:
        """Note that the file is over; `size` counts in the bar of all files."""


class TerminalBars(Bars):
    """A bar for the file at hand and one for all files, on stderr."""

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
        self._file: TaskID | None = None
        self._all: TaskID | None = None
        self._before = 0

    @contextmanager
    def showing(self, files: int, size: int) -> Iterator[None]:
        """See Bars."""
        with self._progress:
            if files > 1:
                self._all = self._progress.add_task(f"{files} files", total=size or None)
            yield

    def begin(self, path: str, size: int | None) -> None:
        """See Bars."""
        # Names come from elsewhere: no control character and no markup of theirs reaches the terminal.
        name = printable(path)[-40:].replace("[", r"\[")
        self._file = self._progress.add_task(name, total=size)

    def progress(self, done: int) -> None:
        """See Bars."""
        if self._file is not None:
            self._progress.update(self._file, completed=done)
        if self._all is not None:
            self._progress.update(self._all, completed=self._before + done)

    def end(self, size: int) -> None:
        """See Bars."""
        if self._file is not None:
            self._progress.remove_task(self._file)
            self._file = None
        self._before += size
        if self._all is not None:
            self._progress.update(self._all, completed=self._before)
