"""An execution of a task, and the files of it (79 to 88)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, Self

from sertainty_svc.domain.tasks import TaskDefinition

Status = Literal["queued", "running", "over"]
# `waiting`: not begun; `moving`: a temporary name may exist; `delivered`: the output is durable under its final name
# and the source is still to be handled; `later`: it changed while it was read, or waits for a window (84, 101).
FileState = Literal["waiting", "moving", "delivered", "successful", "failed", "later"]
OVER: Final = ("successful", "failed", "later")


@dataclass(frozen=True, kw_only=True)
class Execution:
    """One execution of a task. `number` counts those of the task, `id` those of the service; times in milliseconds.

    `configuration` and `task` are the names; `definition` is the task as it was when the execution began, and
    `has_files` says whether all its files are known (at once those of a Change task). `account` last saved the tasks.
    `epoch` is that of the agent when the execution was taken: one of an older epoch is ended. `attempts` counts the
    workers that took it, and `crashes` how often its child was cut off since a file was over. One that is queued again
    waits for `due_at`. `runs` counts the runs of the script of a Time task, and `ran` says that one has succeeded.
    `error` is the text of the end in error, "" for a success.
    """

    id: int
    task_id: int
    configuration_id: int
    configuration: str
    task: str
    number: int
    definition: TaskDefinition
    transfer_id: str
    account: str
    request_id: str
    queued_at: int
    has_files: bool
    caused_by: str | None = None
    status: Status = "queued"
    stop: str = ""
    owner: str = ""
    fence: int = 0
    epoch: int = 0
    attempts: int = 0
    crashes: int = 0
    due_at: int = 0
    runs: int = 0
    ran: bool = False
    began_at: int | None = None
    ended_at: int | None = None
    files: int = 0
    errors: int = 0
    error: str = ""

    @property
    def token(self) -> str:
        """The token of the unfinished files of this execution: 16 upper-case hex digits."""
        return self.transfer_id[-16:]

    @property
    def log(self) -> str:
        """The subject of its task's log."""
        return f"task/{self.task_id}"

    @property
    def watch(self) -> str:
        """The key of its task's watch."""
        return f"task/{self.task_id}"

    def moves(self, files: int) -> bool:
        """Return whether it is a transfer (94), with so many files."""
        return files > 0 and self.definition.action.moves_files

    def stop_text(self, epoch: int, reason: str) -> str:
        """Return the text of its end where it is to end at once, "" where it is not (73).

        `epoch` and `reason` are those of the agent.
        """
        if self.stop:
            return self.stop
        return f"ended by {reason}" if self.attempts and self.epoch < epoch else ""


@dataclass(frozen=True, kw_only=True)
class ExecutionFile:
    """A file of an execution; `position` is its place for ever.

    `path` is below the source folder, bytes that are not UTF-8 as surrogates, and `identity` is the appearance that the
    watch handed over, "" where a Time task found it. `destination` is the path below the destination folder, "" until
    it is known. `checkpoint` is what proves the commit (88). Sizes in bytes; digests are SHA-256 in hex.
    """

    position: int
    path: str
    identity: str = ""
    state: FileState = "waiting"
    description: str = ""
    destination: str = ""
    temporary: str = ""
    checkpoint: Mapping[str, Any] | None = None
    tries: int = 0
    size: int | None = None
    modified_at: int | None = None
    source_sha256: str = ""
    delivered_size: int | None = None
    delivered_sha256: str = ""
    bytes_done: int = 0

    def changed(self, **values: Any) -> Self:
        """Return the file with other values."""
        return replace(self, **values)

    @property
    def over(self) -> bool:
        """Whether nothing more happens to it in this execution."""
        return self.state in OVER

    @property
    def under_way(self) -> bool:
        """Whether its output may be durable already, and its source is still to be handled (88)."""
        return self.state == "delivered" or (self.state == "moving" and self.checkpoint is not None)

    @property
    def unfinished(self) -> bool:
        """Whether an attempt that did not come to its end may have left a temporary name, or a source moved aside."""
        return bool(self.temporary) or (self.checkpoint is not None and not self.over)

    def to_json(self) -> dict[str, Any]:
        """Return plain data without what is at its default."""
        defaults = type(self)(position=self.position, path="")
        return {
            name: value
            for name, value in vars(self).items()
            if name in ("position", "path") or value != getattr(defaults, name)
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return the file of what `to_json` gave."""
        return cls(**values)


@dataclass(slots=True)
class FileCounts:
    """How the files of an execution stand; bytes of what was read. `first_failure`: its name and reason."""

    files: int = 0
    successes: int = 0
    failures: int = 0
    later: int = 0
    under_way: int = 0
    bytes_sent: int = 0
    retries: int = 0
    first_failure: str = field(default="")

    def add(self, file: ExecutionFile) -> None:
        """Count a file."""
        self._count(file, 1)
        if file.state == "failed" and not self.first_failure:
            # Most reasons begin with the name; that of a script does not.
            named = not file.description or file.description.startswith(file.path)
            self.first_failure = file.description if named else f"{file.path}: {file.description}"

    def remove(self, file: ExecutionFile) -> None:
        """Undo `add` for a file that is about to change; the reason of the first failure stays."""
        self._count(file, -1)

    def _count(self, file: ExecutionFile, one: int) -> None:
        self.files += one
        self.successes += one * (file.state == "successful")
        self.failures += one * (file.state == "failed")
        self.later += one * (file.state == "later")
        self.under_way += one * file.under_way
        self.bytes_sent += one * file.bytes_done
        self.retries += one * max(file.tries - 1, 0)
