"""The protocol's functions with their arguments and results (section 4)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class SessionPlace(StrEnum):
    """The place in which a function carries its session (18)."""

    ELEMENT = "element"
    ARGUMENT = "argument"
    NONE = "none"


@dataclass(frozen=True)
class Argument:
    """One argument of a request: its `name`, or None, and its content, still in Base64."""

    name: str | None
    content: str


@dataclass(frozen=True)
class Function:
    """One function: its arguments in order, and its results, `*` at the end of the last one that may repeat."""

    name: str
    args: tuple[str, ...] = ()
    results: tuple[str, ...] = ()
    session: SessionPlace = SessionPlace.ELEMENT
    named_results: bool = False
    # Arguments of ours, which are taken by their names alone; one of them at most.
    extensions: tuple[str, ...] = ()

    @property
    def singles(self) -> tuple[str, ...]:
        """The arguments that come exactly once."""
        return tuple(name for name in self.args if not name.endswith("*"))

    @property
    def repeated(self) -> str | None:
        """The argument that comes any number of times, if there is one."""
        return self.args[-1].removesuffix("*") if self.args and self.args[-1].endswith("*") else None

    @property
    def reads_only(self) -> bool:
        """Whether the role `read` may call it (29)."""
        return "Get" in self.name or self.name in {"hostCloseSession", "hostOpenSession", "agentPing"}


_STATUS: Final = ("config-status", "task-status")
_TASK: Final = ("config-name", "task-name")
_TASK_STATUS: Final = ("StartTime", "EndTime", "LastErrorTime", "Status", "Error", "ExecCnt", "ErrorCnt")
_PRESET: Final = ("preset-name", "preset-contents")
_AGENT_STATUS: Final = ("agent-status", "application-name", "application-version", "config-name", *_STATUS)

FUNCTIONS: Final[tuple[Function, ...]] = (
    Function("agentAlter", ("session-id", "alter-option"), session=SessionPlace.ARGUMENT),
    Function("agentGetLog", (), ("clear-log-data",)),
    Function("agentGetStatus", (), _AGENT_STATUS),
    Function("agentPing", session=SessionPlace.NONE),
    Function("agentRestart"),
    Function("agentShutdown"),
    Function("agentStart"),
    Function("configActivate", ("config-name",)),
    Function("configCreate", ("config-name",)),
    Function("configDelete", ("config-name",)),
    Function("configGetID", ("config-name", "id-name"), ("id-contents",)),
    Function("configGetList", (), ("config-name*",)),
    Function("configGetScript", ("config-name", "script-name"), ("script-contents",)),
    Function("configGetStatus", ("config-name",), _STATUS),
    Function("configGetTasks", ("config-name",), ("task-definitions",)),
    Function("configNewID", ("config-name", "id-name", "machine-fingerprint*"), extensions=_PRESET),
    Function("configSaveID", ("config-name", "id-name", "id-contents")),
    Function("configSaveScript", ("config-name", "script-name", "script-contents")),
    Function("configSaveTasks", ("config-name", "tasks-contents")),
    Function("hostCloseSession", ("session-id",), session=SessionPlace.ARGUMENT),
    Function("hostGetMachine", (), ("fingerprint",)),
    Function("hostOpenSession", ("client-user", "prompt-n*"), ("session-id",), session=SessionPlace.NONE),
    Function("sharedGetID", ("id-name",), ("id-contents",)),
    Function("sharedGetScript", ("script-name",), ("script-contents",)),
    Function("sharedGetPreset", ("preset-name",), ("preset-contents",)),
    Function("sharedGetPresetList", (), ("preset-name*",)),
    Function("sharedNewID", ("id-name", "machine-fingerprint*"), extensions=_PRESET),
    Function("sharedSaveID", ("id-name", "id-contents")),
    Function("sharedSaveScript", ("script-name", "script-contents")),
    Function("taskGetLog", _TASK, ("task-log",)),
    Function("taskGetStatus", _TASK, _TASK_STATUS, named_results=True),
    Function("taskPause", _TASK),
    Function("taskReset", _TASK),
    Function("taskResume", _TASK),
    Function("templateGetList", (), ("task-name*",)),
    Function("templateGetTask", ("task-name",), ("task-definition",)),
    Function("templateSaveTask", ("task-definition",)),
)

# Misprints of the guide (5, 7): the name of a function in its format, and an argument.
_ALIASES: Final[Mapping[str, str]] = {"tempategettask": "templategettask"}
ARGUMENT_ALIASES: Final[Mapping[str, str]] = {"prset-name": "preset-name"}
# The only arguments that are bytes; all others are text (9).
BINARY: Final = frozenset(("id-contents", "script-contents"))
# The most bytes of contents (47, 48).
SIZES: Final[Mapping[str, int]] = {"id-contents": 1 << 20, "script-contents": 4 << 20}
NAMES: Final = frozenset(("config-name", "id-name", "script-name", "preset-name", "task-name"))
ALTER_OPTIONS: Final = frozenset(("disable", "enable"))

_BY_NAME: Final = {function.name.lower(): function for function in FUNCTIONS}


def find_function(name: str) -> Function | None:
    """Return the function of that name, in any case and with the guide's misprints (5)."""
    key = name.lower()
    return _BY_NAME.get(_ALIASES.get(key, key)) if name.isascii() else None
