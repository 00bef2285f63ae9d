"""Run `crossdock copy`: move each file by the engine, show its progress, and report it."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from crossdock.copying.bars import Bars
from crossdock.copying.changes import Change, ChangeOf
from crossdock.copying.encryption import SUFFIX
from crossdock.copying.plan import Plan, opened
from crossdock.copying.report import FileResult, Report
from crossdock.copying.saved import Saved, folder_of
from crossdock.copying.stopping import Stop, interruptible
from crossdock.ends import Ends, url_of
from mft_common.endpoints.contract import Entry
from mft_common.endpoints.errors import Interrupted, TransferError, Transient, reason_of
from mft_common.ids import TransferIds
from mft_common.process import memory
from mft_common.transfer.bandwidth import Bandwidth
from mft_common.transfer.engine import Mover

_FIRST_DELAY_S: Final = 1.0
# After a signal files that do not end by themselves are given up: their far side does not answer.
_PATIENCE_S: Final = 1.2
_POLL_S: Final = 0.1


@dataclass(frozen=True, kw_only=True)
class Request:
    """The files to copy and the way to copy them; `bandwidth` in bytes per second, None for no limit.

    With `encrypt_to` files are encrypted for these keys, and get the ending `.pgp` where they keep their names.
    With `resume` what is unfinished is kept at the destination, and a later run with the same arguments goes on there.
    At most `at_once` files are moved at the same time; each holds up to 8 MiB of memory.
    """

    source: str
    destination: str
    include: tuple[str, ...] = ()
    recursive: bool = False
    resume: bool = False
    bandwidth: int | None = None
    at_once: int = 8
    retries: int = 2
    replace: bool = True
    encrypt_to: tuple[str, ...] = ()


@dataclass
class _Run:
    """One run: what all of its files share."""

    request: Request
    bandwidth: Bandwidth
    stop: Stop
    bars: Bars
    saved: Saved
    change: ChangeOf | None
    plan: Plan
    folders: set[str] = field(default_factory=set)
    folders_lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def at_once(self) -> int:
        """The number of files that are moved at the same time."""
        if self.change is not None:
            return 1
        able = min(self.plan.source.features.at_once, self.plan.destination.features.at_once)
        return max(1, min(able, self.request.at_once, len(self.plan.files)))


def run(
    request: Request, ends: Ends, data: Path, *, bars: Bars, finished: Callable[[FileResult], None],
    complain: Callable[[str], None], change: ChangeOf | None = None,
) -> Report:  # fmt: skip
    """Copy the files of a request, each with its `change`, and return the report; `finished` is called after each file.

    TransferError where an end cannot be opened at all. After a signal the report is there within two seconds; where it
    is `abandoned`, threads still wait for a far side and the ends are open: the caller ends the process at once.
    """
    memory.keep_freed_blocks()
    report = Report()
    began = time.monotonic()

    def skipped(name: str, reason: str) -> None:
        report.skipped.append((name, reason))
        complain(f"skipped: {name}: {reason.removeprefix(f'{name}: ')}")

    with interruptible() as stop:
        try:
            with ExitStack() as closing:
                source, destination = url_of(request.source), url_of(request.destination)
                plan = closing.enter_context(
                    opened(
                        ends, source, destination, patterns=request.include, recursive=request.recursive,
                        skipped=skipped, suffix=SUFFIX if request.encrypt_to else "",
                    )
                )  # fmt: skip
                if plan is not None:
                    saved = closing.enter_context(_saved(request, data, source, destination))
                    shared = _Run(request, Bandwidth(request.bandwidth), stop, bars, saved, change, plan)
                    _move_all(shared, report, finished, complain)
                if report.abandoned:
                    closing.pop_all()
        except KeyboardInterrupt:
            report.abandoned = True
        report.interrupted = stop.is_set()
    report.seconds = time.monotonic() - began
    return report


def _move_all(
    run: _Run, report: Report, finished: Callable[[FileResult], None], complain: Callable[[str], None]
) -> None:
    """Move every file, and remove what this run and former ones of the same copy have left."""
    if not (run.request.resume and run.saved.resumable):
        _sweep(run, complain)
    threads = _Threads(run)
    # From here on a signal lets the files under way end.
    run.stop.moving = True
    try:
        with run.bars.showing(len(run.plan.files), sum(entry.size or 0 for entry, _ in run.plan.files)):
            for result in threads.results():
                report.files.append(result)
                finished(result)
    finally:
        run.stop.moving = False
        report.abandoned = run.stop.is_set() and threads.alive
    if not report.failed and not run.stop.is_set():
        _sweep(run, complain)


def _sweep(run: _Run, complain: Callable[[str], None]) -> None:
    """Remove the unfinished files of this copy; what cannot be removed is tried again by the next run."""
    left = run.saved.unfinished
    if left:
        try:
            run.plan.destination.sweep(run.saved.token, left)
        except TransferError as error:
            complain(f"warning: unfinished files could not be removed: {reason_of(error)}")
            return
    run.saved.clear()


class _Threads:
    """Threads that move the files of a run; none of them keeps the process alive."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._files = enumerate(run.plan.files)
        self._lock = threading.Lock()
        self._done: queue.Queue[tuple[int, FileResult | BaseException]] = queue.Queue()
        self._threads = [threading.Thread(target=self._work, name="copy", daemon=True) for _ in range(run.at_once)]
        self._failed = False
        self._begun: set[int] = set()

    @property
    def alive(self) -> bool:
        """Whether any of them is still at work."""
        return any(thread.is_alive() for thread in self._threads)

    def results(self) -> Iterator[FileResult]:
        """Move the files; yield the results in the order of the plan, after a signal those of the files that began."""
        for thread in self._threads:
            thread.start()
        waiting: dict[int, FileResult] = {}
        place, until = 0, 0.0
        while place < len(self._run.plan.files):
            if self._run.stop.is_set():
                until = until or time.monotonic() + _PATIENCE_S
                if time.monotonic() > until or (not self.alive and self._done.empty()):
                    break
            with suppress(queue.Empty):
                number, result = self._done.get(timeout=_POLL_S)
                if isinstance(result, BaseException):
                    raise result
                waiting[number] = result
            while place in waiting:
                yield waiting.pop(place)
                place += 1
        for number in sorted(number for number in self._begun if number >= place):
            entry, path = self._run.plan.files[number]
            given_up = FileResult(source=entry.path, destination=path, error="interrupted; the far side did not answer")
            yield waiting.get(number, given_up)

    def _work(self) -> None:
        while not self._run.stop.is_set() and not self._failed:
            with self._lock:
                number, found = next(self._files, (0, None))
                if found is None:
                    return
                self._begun.add(number)
            try:
                self._done.put((number, _copy(self._run, *found)))
            except BaseException as error:  # noqa: BLE001 -- raised again in the main thread
                self._failed = True
                self._done.put((number, error))


def _copy(run: _Run, entry: Entry, path: str) -> FileResult:
    """Copy one file; its failure is a result, so that the others go on."""
    retries, last = 0, ""
    resume = run.request.resume

    def begins(temporary: str) -> None:
        nonlocal last
        last = temporary
        run.saved.begin(temporary, path)

    def retrying(number: int) -> None:
        nonlocal retries
        retries = number

    bar = run.bars.begin(entry.path, entry.size)
    try:
        change = Change() if run.change is None else run.change(entry)
        mover = Mover(
            token=run.saved.token,
            if_exists="replace" if run.request.replace else "fail",
            steps=change.steps,
            keep_time=change.keep_time,
            modified_at=change.modified_at,
            bandwidth=run.bandwidth,
            interrupt=run.stop,
            begins=begins,
            progress=bar.progress,
            checkpointed=lambda checkpoint: run.saved.store(path, checkpoint) if resume else None,
            retrying=retrying,
            retries=run.request.retries,
            delay=_FIRST_DELAY_S,
            keep=resume,
        )
        _make_folder(run, path)
        moved = mover.move(run.plan.source, entry, run.plan.destination, path, run.saved.find(path))
    except TransferError as error:
        if not isinstance(error, Transient | Interrupted) or run.saved.find(path) is None:
            # Nothing was kept that a later run could go on with.
            run.saved.remove(path, "" if error.leftover else last)
        reason = "interrupted" if isinstance(error, Interrupted) else reason_of(error)
        bar.end(entry.size or 0)
        return FileResult(source=entry.path, destination=path, error=reason, retries=retries)
    run.saved.remove(path, last)
    bar.end(moved.source.size)
    return FileResult(
        source=entry.path,
        destination=path,
        warning=moved.warning,
        size=moved.delivered.size,
        sha256=moved.delivered.sha256,
        source_sha256="" if run.change is None else moved.source.sha256,
        retries=moved.retries,
        resumed=moved.resumed,
    )


def _make_folder(run: _Run, path: str) -> None:
    folder = path.rpartition("/")[0]
    if not folder or not run.plan.destination.features.folders:
        return
    with run.folders_lock:
        if folder not in run.folders:
            run.plan.destination.make_folder(folder)
            run.folders.add(folder)


@contextmanager
def _saved(request: Request, data: Path, source: str, destination: str) -> Iterator[Saved]:
    """Give what this copy has unfinished, kept below the data folder.

    Without `resume` a data folder that cannot be written is no error: then nothing is found after a kill.
    """
    # The same copy has the same token, so that it finds its own unfinished files.
    names = "\n".join((source, destination, *request.include, str(request.recursive), *request.encrypt_to))
    with ExitStack() as closing:
        try:
            saved = closing.enter_context(Saved.opened(folder_of(data), names))
        except OSError:
            if request.resume:
                raise
            saved = Saved(TransferIds("CROSSDOCK").new())
        yield saved
