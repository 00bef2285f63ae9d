"""Run one execution of a task whose action is Script: once for each file of a batch, or once for a run (91)."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from mft_common.backoff import pause_after
from mft_common.endpoints.errors import Interrupted
from mft_common.process.runner import CommitRefused
from mft_common.transfer import Interrupt, commit_proof
from sertainty_svc.domain.executions import ExecutionFile, FileState
from sertainty_svc.domain.tasks import TaskType
from sertainty_svc.operations.running.delivering import Copying
from sertainty_svc.operations.running.disposing import Work
from sertainty_svc.operations.running.faults import FileFault, TaskFault, sentence
from sertainty_svc.operations.running.folders import OpenFolders, TaskFolder, open_folder
from sertainty_svc.operations.running.moving import FileMove
from sertainty_svc.operations.running.order import Order, Result
from sertainty_svc.operations.running.reports import Reports
from sertainty_svc.operations.running.scripting import ScriptOutcome, ScriptPaths, ScriptUnusable, run_stored_script
from sertainty_svc.operations.running.trying_again import FIRST_PAUSE_S
from sertainty_svc.operations.running.work_folder import remove_left

_LONGEST_PAUSE_S: Final = 60.0
_DONE: Final = "The script has run."
_LOST: Final = "The script was cut off with its process, and may not run again"


# Called before each run with its number and "moving", and with the number before and "waiting" where it does not count.
Note = Callable[[int, FileState], None]


@dataclass(frozen=True)
class Scripts:
    """Runs the script of one execution, again and again while it asks for that and may."""

    order: Order
    reports: Reports
    stop: Interrupt

    def run(self, paths: ScriptPaths, tries: int, note: Note) -> int:
        """Return the number of runs once the script has succeeded; FileFault says how it failed.

        `tries` counts the runs before, also those that were cut off. Interrupted where it was ended on request,
        TaskFault where it cannot be run at all: neither counts as a run.
        """
        most = self.order.definition.retries + 1
        if tries >= most:
            raise FileFault(_LOST)
        while True:
            tries += 1
            note(tries, "moving")
            outcome = self._run_once(paths, tries, note)
            if outcome.state == "successful":
                return tries
            if outcome.state == "failed" or tries >= most:
                raise FileFault(outcome.text)
            self.reports.log(outcome.text, paths.shown, "Warning")
            if self.stop.wait(pause_after(tries, FIRST_PAUSE_S, _LONGEST_PAUSE_S)):
                raise Interrupted("stopped while waiting for another try")

    def _run_once(self, paths: ScriptPaths, number: int, note: Note) -> ScriptOutcome:
        try:
            outcome = run_stored_script(self.order, paths, self.reports.lines, self.stop)
        except ScriptUnusable as error:
            note(number - 1, "waiting")
            raise TaskFault(str(error)) from error
        if outcome.state == "stopped":
            note(number - 1, "waiting")
            raise Interrupted(outcome.text)
        return outcome


class ScriptRun:
    """One attempt at an execution whose action is Script."""

    def __init__(self, order: Order, reports: Reports, stop: Interrupt) -> None:
        self._order = order
        self._reports = reports
        self._scripts = Scripts(order, reports, stop)
        self._left = False

    def run(self) -> Result:
        """Return how it ended; of a Time task `fault` says how its script failed."""
        if self._order.attempt > 1:
            remove_left(self._order)
        whole = self._order.definition.type is TaskType.TIME
        try:
            with ExitStack() as stack:
                stopped = self._run_once(stack) if whole else self._run_files(stack)
        except (TaskFault, FileFault) as fault:
            return Result(fault=sentence(str(fault)), left=self._left)
        except (Interrupted, CommitRefused):
            return Result(stopped=True, left=True)
        return Result(stopped=stopped, left=self._left)

    def _run_once(self, stack: ExitStack) -> bool:
        """Run the script without a file, unless it has succeeded already; return whether it may not begin."""
        if self._order.ran:
            # An attempt was cut off between that and the end of the execution.
            return False
        folders = self._order.definition.folders
        source = open_folder(self._order, folders.source, stack) if folders.source else None
        destination = open_folder(self._order, folders.destination, stack, create=True) if folders.destination else None
        paths = ScriptPaths(source=_path_of(source), destination=_path_of(destination))
        if not self._reports.may_go_on():
            return True
        runs = self._scripts.run(paths, self._order.runs, lambda tries, _state: self._reports.ran(tries))
        self._reports.ran(runs, done=True)
        self._reports.log(_DONE)
        return False

    def _run_files(self, stack: ExitStack) -> bool:
        """Run the script for each file; return whether files are left because the execution is to end before them."""
        folders = OpenFolders.open(self._order, stack)
        paths = ScriptPaths(source=_path_of(folders.source))
        if self._order.definition.folders.destination:
            paths = replace(paths, destination=_path_of(folders.destination))
        # TimeLimit is that of a run of the script, not of a file with all its tries.
        definition = replace(self._order.definition, time_limit_s=None)
        work = Work(self._order.token, definition, self._reports, folders, self._scripts.stop)
        for file in self._reports.files():
            if not self._reports.may_go_on():
                return True
            one = FileScript(work, self._scripts, paths, file)
            try:
                one.run()
            finally:
                self._left = self._left or one.left
        return False


class FileScript(FileMove):
    """One file for which the script runs; then the task's word about sources and failed files holds as for others."""

    def __init__(self, work: Work, scripts: Scripts, paths: ScriptPaths, file: ExecutionFile) -> None:
        super().__init__(work, Copying(_DONE), file)
        self._scripts = scripts
        self._paths = paths

    def _deliver(self) -> None:
        entry = self._entry = self._find_entry()
        path = self._file.path
        paths = replace(self._paths, file=f"{self._paths.source}/{path}", shown=path)
        self._scripts.run(paths, self._file.tries, self._note)
        # Durable is whatever the script has written, as far as it has seen to that.
        self._file = self._file.changed(state="delivered", checkpoint={commit_proof.ENTRY: asdict(entry)})
        self._work.reports.changed(self._file)

    def _note(self, tries: int, state: FileState) -> None:
        """Let the worker store that the script runs: a run that is killed with its process counts as failed (88)."""
        self._file = self._file.changed(state=state, tries=tries)
        self._work.reports.changed(self._file)


def _path_of(folder: TaskFolder | None) -> str:
    """Return the absolute path of a folder, "" for none; TaskFault where it is none of this machine."""
    if folder is None:
        return ""
    if folder.local is None:
        raise TaskFault(f"A script cannot reach the folder {folder.text}, which is none of this machine")
    return str(Path(*folder.place))
