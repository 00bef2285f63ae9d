"""The payload of the child of an execution: its task, its folders, and the inputs of its action."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from sertainty_svc.domain.tasks import TaskDefinition


@dataclass(frozen=True, kw_only=True)
class Order:
    """The payload of a child, as plain data by `to_json`.

    `has_files` says whether all files are known to the worker already; else the child finds those that are not.
    `attempt` counts the workers that took the execution, from 1, `runs` the runs of the script of a Time task in
    earlier attempts, of which the last one has succeeded where it has `ran`. `roots` are the configured folders,
    absolute, the first one for relative paths; `data` is the data folder and `filestore` the way to filestore-svc
    as `Endpoints.to_json` has it, None where no folder of the task is there. `id_contents` is the ID that the task
    names, in Base64, None where it names none. `script` is the name and the contents (Base64) of the script.
    `machine_uuid` is this machine's; `host_key` is the path of its private key. `private` is a folder for bytes
    that may not be released yet. `confirm_s` is how long a child may work without an answer of its worker.
    """

    transfer_id: str
    token: str
    configuration: str
    number: int
    attempt: int
    definition: TaskDefinition
    has_files: bool
    roots: tuple[str, ...]
    data: str
    filestore: Mapping[str, Any] | None = None
    id_contents: str | None = None
    script: tuple[str, str] | None = None
    runs: int = 0
    ran: bool = False
    interpreters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    script_path: str = ""
    script_user: str | None = None
    script_wrapper: tuple[str, ...] = ()
    machine_uuid: str = ""
    host_key: str = ""
    private: str = ""
    confirm_s: float = 5.0

    def to_json(self) -> dict[str, Any]:
        """Return plain data; the contents of an ID are wrapped keys, and no secret in clear is in it."""
        return {**asdict(self), "definition": self.definition.to_json()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return the order of what `to_json` gave."""
        tuples = {name: tuple(values[name]) for name in ("roots", "script_wrapper")}
        interpreters = {name: tuple(command) for name, command in values["interpreters"].items()}
        script = None if values["script"] is None else tuple(values["script"])
        definition = TaskDefinition.from_json(values["definition"])
        return cls(**{**values, **tuples, "interpreters": interpreters, "script": script, "definition": definition})


@dataclass(frozen=True, kw_only=True)
class Result:
    """How the work of a child ended, as plain data by `asdict`.

    `fault` is the task's own fault (86), for which no file is blamed, "" without one. `stopped` says that it ended
    before its last file, because somebody asked for it. `left` says whether unfinished files, or sources that were
    moved aside, may be left.
    """

    fault: str = ""
    stopped: bool = False
    left: bool = False
