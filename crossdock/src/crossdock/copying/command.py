"""Run `crossdock copy`: move each file by the engine, show its progress, and report it."""

import hashlib
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Final

from crossdock.copying.bars import Bars
from crossdock.copying.encryption import SUFFIX
from crossdock.copying.plan import Plan, opened
from crossdock.copying.report import FileResult, Report
from crossdock.copying.saved import Saved
from crossdock.ends import Ends, url_of
from mft_common.endpoints.contract import Entry
from mft_common.endpoints.errors import Interrupted, TransferError, Transient, reason_of
from mft_common.ids import TransferIds
from mft_common.process import memory
from mft_common.transfer.bandwidth import Bandwidth
from mft_common.transfer.engine import Mover
from mft_common.transfer.steps import MakeSteps

_FIRST_DELAY_S: Final = 1.0


@dataclass(frozen=True, kw_only=True)
class Request:
    """The files to copy and the way to copy them; `bandwidth` in bytes per second, None for no limit.

    With `encrypt_to` files are encrypted for these keys, and get the ending `.pgp` where they keep their names.
    With `resume` what is unfinished is kept at the destination, and a later run with the same arguments goes on there.
    """

    source: str
    destination: str
    include: tuple[str, ...] = ()
    recursive: bool = False
    resume: bool = False
    bandwidth: int | None = None
    retries: int = 2
    replace: bool = True
    encrypt_to: tuple[str, ...] = ()


@dataclass
class _Run:
    """One run: what all of its files share."""

    request: Request
    bandwidth: Bandwidth
    stop: threading.Event
    bars: Bars
    token: str
    saved: Saved
    steps: MakeSteps | None
    folders: set[str] = field(default_factory=set)


def run(
    request: Request, ends: Ends, data: Path, *, bars: Bars, finished: Callable[[FileResult], None],
    complain: Callable[[str], None], steps: MakeSteps | None = None,
) -> Report:  # fmt: skip
    """Copy the files of a request, through `steps`, and return the report; `finished` is called after each file.

    TransferError where an end cannot be opened at all.
    """
    memory.keep_freed_blocks()
    report = Report()
    began = time.monotonic()
    source, destination = url_of(request.source), url_of(request.destination)

    def skipped(name: str, reason: str) -> None:
        report.skipped.append((name, reason))
        complain(f"skipped: {name}: {reason.removeprefix(f'{name}: ')}")

    with (
        _interruptible() as stop,
        _saved(request, data, source, destination) as saved,
        opened(
            ends,
            source,
            destination,
            patterns=request.include,
            recursive=request.recursive,
            skipped=skipped,
            suffix=SUFFIX if request.encrypt_to else "",
        ) as plan,
    ):
        if plan is not None:
            shared = _Run(request, Bandwidth(request.bandwidth), stop, bars, saved.token, saved, steps)
            with bars.showing(len(plan.files), sum(entry.size or 0 for entry, _ in plan.files)):
                for result in _results(shared, plan):
                    report.files.append(result)
                    finished(result)
        report.interrupted = stop.is_set()
    report.seconds = time.monotonic() - began
    return report


def _results(run: _Run, plan: Plan) -> Iterator[FileResult]:
    for entry, path in plan.files:
        if run.stop.is_set():
            return
        yield _copy(run, plan, entry, path)


def _copy(run: _Run, plan: Plan, entry: Entry, path: str) -> FileResult:
    """Copy one file; its failure is a result, so that the others go on."""
    retries = 0

    def retrying(number: int) -> None:
        nonlocal retries
        retries = number

    mover = Mover(
        token=run.token,
        if_exists="replace" if run.request.replace else "fail",
        steps=run.steps,
        keep_time=True,
        bandwidth=run.bandwidth,
        interrupt=run.stop,
        progress=run.bars.progress,
        checkpointed=lambda checkpoint: run.saved.store(path, checkpoint),
        retrying=retrying,
        retries=run.request.retries,
        delay=_FIRST_DELAY_S,
        keep=run.request.resume,
    )
    run.bars.begin(entry.path, entry.size)
    try:
        _make_folder(run, plan, path)
        moved = mover.move(plan.source, entry, plan.destination, path, run.saved.find(path))
    except Interrupted:
        return FileResult(source=entry.path, destination=path, error="interrupted", retries=retries)
    except TransferError as error:
        if not isinstance(error, Transient):
            # Nothing was kept that a later run could go on with.
            run.saved.remove(path)
        run.bars.end(entry.size or 0)
        return FileResult(source=entry.path, destination=path, error=reason_of(error), retries=retries)
    run.saved.remove(path)
    run.bars.end(moved.source.size)
    return FileResult(
        source=entry.path,
        destination=path,
        warning=moved.warning,
        size=moved.delivered.size,
        sha256=moved.delivered.sha256,
        source_sha256="" if run.steps is None else moved.source.sha256,
        retries=moved.retries,
        resumed=moved.resumed,
    )


def _make_folder(run: _Run, plan: Plan, path: str) -> None:
    folder = path.rpartition("/")[0]
    if folder and folder not in run.folders and plan.destination.features.folders:
        plan.destination.make_folder(folder)
        run.folders.add(folder)


@contextmanager
def _saved(request: Request, data: Path, source: str, destination: str) -> Iterator[Saved]:
    """Give the checkpoints of this copy: kept below the data folder with `resume`, else nowhere."""
    if not request.resume:
        yield Saved(TransferIds("CROSSDOCK").new())
        return
    # The same copy has the same token, so that it finds its own unfinished files.
    names = "\n".join((source, destination, *request.include, str(request.recursive)))
    token = hashlib.sha256(names.encode("utf-8", "surrogateescape")).hexdigest()[:48].upper()
    with Saved.opened(data / "state" / "copy", token) as saved:
        yield saved


@contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """Give an event that SIGINT and SIGTERM set; a second SIGINT interrupts at once."""
    stop = threading.Event()

    def handle(number: int, _frame: FrameType | None) -> None:
        if stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.set()

    former: Mapping[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        former = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
