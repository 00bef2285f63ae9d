"""What a transaction is, and what the configuration says about the service as a whole."""

import dataclasses
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, Self

Direction = Literal["outbound", "inbound"]
IfExists = Literal["replace", "fail"]

NOT_SCHEDULED: Final = "Not Scheduled"


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where files come from: `files` and `required` are patterns, `min_age` is in seconds."""

    url: str
    files: tuple[str, ...]
    required: tuple[str, ...] = ()
    min_age: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Destination:
    """Where files go: `files` is a template in which `*` stands for the source's name; None keeps that name."""

    url: str
    files: str | None = None
    if_exists: IfExists = "replace"


@dataclass(frozen=True, kw_only=True)
class Retries:
    """How often one file is tried again, the first time after `file_delay` seconds."""

    file: int = 2
    file_delay: float = 5.0


@dataclass(frozen=True, kw_only=True)
class Transaction:
    """A definition as the configuration gives it; a job keeps the copy of it that was valid when it was scheduled."""

    name: str
    direction: Direction
    source: Source
    destination: Destination
    id: int | None = None
    api_allowed: bool = False
    enabled: bool = True
    variables: Mapping[str, str] = field(default_factory=dict)
    fail_if_not_found: bool = False
    delete_source: bool = False
    verify: Literal["sha256", "size"] = "sha256"
    retries: Retries = field(default_factory=Retries)
    bandwidth: int | None = None

    def to_json(self) -> str:
        """Return the definition as it is kept with each job."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return what `to_json` was given."""
        values: dict[str, Any] = json.loads(text)
        source, destination, retries = values.pop("source"), values.pop("destination"), values.pop("retries")
        source["files"], source["required"] = tuple(source["files"]), tuple(source["required"])
        return cls(
            **values, source=Source(**source), destination=Destination(**destination), retries=Retries(**retries)
        )


@dataclass(frozen=True, kw_only=True)
class Options:
    """The section `diplomat`; durations are seconds, `valid_until` is in milliseconds."""

    api: bool = True
    valid_until: int | None = None
    display_name: str = field(default_factory=socket.gethostname)
    session_limit: int = 10
    session_idle: float | None = 1800.0
    session_absolute: float | None = None
    at_once: int = 8
    queue_limit: int = 1000
    lease: float = 15.0
    stop_grace: float = 20.0


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """Everything that crossdock.yaml says to this service."""

    options: Options = field(default_factory=Options)
    transactions: tuple[Transaction, ...] = ()
    allowed_folders: tuple[Path, ...] = ()
