"""The definition of a task, as a document of tasks holds it (10.4)."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Final, Self

from sertainty_svc.domain.windows import Window

# The ending of protected files (89, 90).
SEALED: Final = ".sealed"
# A script that names no limit may take this long.
SCRIPT_TIME_LIMIT_S: Final = 300


class TaskType(StrEnum):
    """The two types of tasks: by files that come, or by time."""

    CHANGE = "Change"
    TIME = "Time"


class Action(StrEnum):
    """The five actions (89 to 92)."""

    AUTO_PROTECT = "AutoProtect"
    AUTO_UNPROTECT = "AutoUnprotect"
    SCRIPT = "Script"
    COPY = "Copy"
    MOVE = "Move"

    @property
    def moves_files(self) -> bool:
        """Whether an execution over files is a transfer (94)."""
        return self is not Action.SCRIPT


class AfterSuccess(StrEnum):
    """The treatment of a source whose output is durable (87)."""

    KEEP = "Keep"
    ARCHIVE = "Archive"
    DELETE = "Delete"


@dataclass(frozen=True, kw_only=True)
class Folders:
    """The folders of a task as its document names them (93); "" for none."""

    source: str = ""
    destination: str = ""
    failed: str = ""
    archive: str = ""


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which names are taken: shell patterns on the last step of the path, case-sensitive; `exclude` wins."""

    include: tuple[str, ...] = ("*",)
    exclude: tuple[str, ...] = ()
    recurse: bool = False


@dataclass(frozen=True, kw_only=True)
class TaskSchedule:
    """When a task runs (10.5): every `interval_s` seconds, or at local times `at` (`HH:MM`), in its `zone`.

    A Change task has neither, and only `window`: the local times at which files are taken.
    """

    interval_s: int | None = None
    at: tuple[str, ...] = ()
    zone: str = "UTC"
    window: Window | None = None

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return the schedule of what `asdict` made of one."""
        window = values["window"]
        given = {**values, "at": tuple(values["at"])}
        return cls(**{**given, "window": None if window is None else Window.from_json(window)})


@dataclass(frozen=True, kw_only=True)
class TaskDefinition:
    """A task. `settle_s` and `time_limit_s` are seconds; the limit is None where there is none."""

    name: str
    type: TaskType
    action: Action
    enabled: bool = True
    description: str = ""
    id_name: str = ""
    script: str = ""
    folders: Folders = field(default_factory=Folders)
    filter: Filter = field(default_factory=Filter)
    settle_s: float = 1.0
    after_success: AfterSuccess = AfterSuccess.KEEP
    replace: bool = False
    time_limit_s: int | None = None
    retries: int = 3
    parameters: Mapping[str, str] = field(default_factory=dict)
    schedule: TaskSchedule = field(default_factory=TaskSchedule)

    def to_json(self) -> dict[str, Any]:
        """Return plain data, of which `from_json` makes the same definition."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return the definition of what `to_json` gave."""
        patterns = {name: tuple(values["filter"][name]) for name in ("include", "exclude")}
        return cls(
            **{
                **values,
                "type": TaskType(values["type"]),
                "action": Action(values["action"]),
                "after_success": AfterSuccess(values["after_success"]),
                "folders": Folders(**values["folders"]),
                "filter": Filter(**{**values["filter"], **patterns}),
                "schedule": TaskSchedule.from_json(values["schedule"]),
            }
        )

    @property
    def deletes_source(self) -> bool:
        """Whether a source is deleted once its output is durable: Move is Copy with that (92)."""
        return self.after_success is AfterSuccess.DELETE or (
            self.action is Action.MOVE and self.after_success is AfterSuccess.KEEP
        )
