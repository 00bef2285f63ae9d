"""Run `crossdock protect` and `unprotect`: one file after another, with bars, lines for people, or one JSON object."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from crossdock.copying.command import Request
from crossdock.copying.command import run as run_copy
from crossdock.copying.console import Printer, bars_for, end_at_once
from crossdock.copying.report import USAGE, FileResult, Report
from crossdock.ends import Ends, absolute
from crossdock.output import shown_reason
from crossdock.protecting.files import Prepare, url_of_folder
from mft_common.endpoints.errors import Exists, NotFound, NotRegular, TransferError, reason_of
from mft_common.endpoints.folders import LocalFolders
from mft_common.endpoints.registry import Endpoints
from mft_common.errors import MftError

_RETRIES = 2


def run(
    files: Sequence[Path], make: Callable[[], Prepare], data: Path, *, done: str, replacing: bool, json_format: bool
) -> int:  # fmt: skip
    """Make the output of each file beside it, print the outcome, and return the exit code, as a copy does.

    `make` returns what becomes of files, or raises why no file can be tried; `done` is the word for one that has its
    output. Nothing of an output is visible before it is whole, and it stays what it was where the file is refused.
    """
    printer = Printer(json_format)
    try:
        prepare = make()
    except (MftError, OSError) as error:
        if not json_format:
            raise
        printer.print_json({"exit_code": USAGE, "error": shown_reason(error)})
        return USAGE
    work = _Files(prepare, data, printer, files, replacing=replacing)
    report = Report(done=done)
    try:
        for file in files:
            work.add(file, report)
            if report.interrupted:
                break
    except KeyboardInterrupt:
        # A signal that came between two files.
        report.interrupted = True
    # Each file was asked for by its name.
    report.incomplete = bool(report.skipped)
    code = work.printer.report(report, str(files[0]))
    if report.abandoned:
        end_at_once(code)
    return code


class _Files:
    """The files of one run of a command."""

    def __init__(
        self, prepare: Prepare, data: Path, printer: Printer, files: Sequence[Path], *, replacing: bool
    ) -> None:
        self.printer = printer
        self._prepare = prepare
        self._data = data
        self._replacing = replacing
        # Unlike a service, the command reaches every folder that its user can, but for the hub's own state.
        self._ends = Ends(Endpoints(folders=LocalFolders(data, (Path("/"),))), {})
        self._bars = bars_for(json_format=printer.json_format)
        # The files themselves, which stay, and each output with its file.
        self._files = {absolute(file) for file in files}
        self._outputs: dict[Path, Path] = {}

    def add(self, given: Path, report: Report) -> None:
        """Make the output of a file, and add how that went to a report; a file that is not there adds nothing."""
        file = absolute(given)
        try:
            self._check(file)
            output = self._prepare(self._ends, file)
            self._check_output(file, file.with_name(output.name))
        except NotFound:
            self._skip(given, report)
            return
        except TransferError as error:
            self._end(FileResult(source=str(given), destination="", error=reason_of(error)), report)
            return
        destination = given.with_name(output.name)
        request = Request(
            source=str(file), destination=str(file.with_name(output.name)), retries=_RETRIES, replace=self._replacing
        )
        try:
            found = run_copy(
                request, self._ends, self._data, bars=self._bars, finished=lambda _result: None,
                complain=self.printer.complain, change=output.change,
            )  # fmt: skip
        except MftError as error:
            # Of this file alone: the same one is on its way in another process, for example.
            self._end(FileResult(source=str(given), destination=str(destination), error=reason_of(error)), report)
            return
        if not found.files and not found.interrupted:
            self._skip(given, report)
        for result in found.files:
            if not result.error:
                self._outputs[file.with_name(output.name)] = file
            shown = replace(result, source=str(given), destination=str(destination), done=report.done)
            self._end(shown, report)
        report.interrupted, report.abandoned = found.interrupted, found.abandoned
        report.seconds += found.seconds

    def _check(self, file: Path) -> None:
        """Raise NotRegular unless a path is that of a file; TransferError."""
        with self._ends.open(url_of_folder(file)) as folder:
            if folder.stat(file.name).kind != "file":
                raise NotRegular(f"{file.name}: is a folder")

    def _check_output(self, file: Path, output: Path) -> None:
        """Raise Exists where the output of a file would replace what this run has made, or one of its files."""
        if _is_folder(output):
            raise Exists(f"{output.name}: a folder has that name")
        if output in self._files:
            raise Exists(f"{output.name}: is one of the files themselves")
        if self._outputs.get(output, file) != file:
            raise Exists(f"{output.name}: is the output of another file already")

    def _end(self, result: FileResult, report: Report) -> None:
        report.files.append(result)
        self.printer.finished(result)

    def _skip(self, given: Path, report: Report) -> None:
        report.skipped.append((str(given), "there is no such file"))
        self.printer.complain(f"skipped: {given}: there is no such file")


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        # The copy finds out what is wrong with the name.
        return False
