"""Find the files of a Time task (85)."""

from collections.abc import Callable, Iterator
from typing import Final

from mft_common.endpoints.errors import Interrupted, TransferError
from mft_common.endpoints.names import Patterns
from sertainty_svc.domain.executions import ExecutionFile
from sertainty_svc.domain.selection import selection
from sertainty_svc.domain.tasks import TaskDefinition
from sertainty_svc.operations.running.faults import TaskFault, sentence, sentence_of
from sertainty_svc.operations.running.folders import TaskFolder
from sertainty_svc.operations.running.reports import Reports

_EVERY: Final = Patterns(("*",))


def find(definition: TaskDefinition, source: TaskFolder, reports: Reports, check: Callable[[], None]) -> None:
    """Report every file of the source that the task takes, by name; `check` is called for each. TaskFault.

    Those that an earlier attempt has found before it was cut off keep their places, and the others follow them.
    """
    try:
        reports.found(_files(definition, source, reports, check))
    except Interrupted:
        raise
    except TransferError as error:
        raise TaskFault(f"The folder {source.text} cannot be listed: {sentence_of(error)}") from error


def _files(
    definition: TaskDefinition, source: TaskFolder, reports: Reports, check: Callable[[], None]
) -> Iterator[ExecutionFile]:
    takes = selection(definition)
    known = {file.path for file in reports.files()}
    position = len(known)

    def skipped(path: str, why: str) -> None:
        # A folder that cannot be listed may have a name that the task does not take.
        if takes(path) or definition.filter.recurse:
            reports.log(sentence(why), path, "Warning")

    for entry in source.endpoint.list(_EVERY, recursive=definition.filter.recurse, skipped=skipped):
        check()
        if entry.kind == "file" and takes(entry.path) and entry.path not in known:
            yield ExecutionFile(position=position, path=entry.path, size=entry.size, modified_at=entry.modified_at)
            position += 1
