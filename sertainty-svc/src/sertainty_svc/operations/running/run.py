"""Run one execution: open its folders, find its files, and bring one after another to its end."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Final

from mft_common.endpoints.errors import Interrupted
from mft_common.process.runner import CommitRefused
from mft_common.transfer import Interrupt
from sertainty_svc.domain.tasks import Action
from sertainty_svc.operations.running.delivering import Copying, Delivering
from sertainty_svc.operations.running.disposing import Work
from sertainty_svc.operations.running.faults import TaskFault, sentence
from sertainty_svc.operations.running.finding import find
from sertainty_svc.operations.running.folders import OpenFolders
from sertainty_svc.operations.running.moving import FileMove
from sertainty_svc.operations.running.order import Order, Result
from sertainty_svc.operations.running.protecting import Protecting
from sertainty_svc.operations.running.reports import Reports
from sertainty_svc.operations.running.unprotecting import Unprotecting

_ACTIONS: Final[Mapping[Action, Callable[[Order, Reports, OpenFolders], Delivering]]] = {
    Action.COPY: lambda _order, _reports, _folders: Copying("copied"),
    Action.MOVE: lambda _order, _reports, _folders: Copying("moved"),
    Action.AUTO_PROTECT: lambda order, _reports, folders: Protecting(order, folders.source),
    Action.AUTO_UNPROTECT: lambda order, reports, _folders: Unprotecting(order, reports),
}


class Run:
    """One attempt at an execution whose action moves files."""

    def __init__(self, order: Order, reports: Reports, stop: Interrupt) -> None:
        self._order = order
        self._reports = reports
        self._stop = stop
        self._left = False

    def run(self) -> Result:
        """Return how it ended; whatever the reason, each file is as the worker has stored it."""
        try:
            with ExitStack() as stack:
                stopped = self._run(stack)
        except TaskFault as fault:
            return Result(fault=sentence(str(fault)), left=self._left)
        except (Interrupted, CommitRefused):
            return Result(stopped=True, left=True)
        return Result(stopped=stopped, left=self._left)

    def _run(self, stack: ExitStack) -> bool:
        """Return whether files are left because the execution is to end before them."""
        definition = self._order.definition
        folders = OpenFolders.open(self._order, stack)
        action = _ACTIONS[definition.action](self._order, self._reports, folders)
        if not self._order.has_files:
            find(definition, folders.source, self._reports, self._check_stop)
        work = Work(self._order.token, definition, self._reports, folders, self._stop)
        for file in self._reports.files():
            if not self._reports.may_go_on():
                return True
            move = FileMove(work, action, file)
            try:
                move.run()
            finally:
                self._left = self._left or move.left
        return False

    def _check_stop(self) -> None:
        if self._stop.is_set():
            raise Interrupted("the execution was stopped while its files were listed")
