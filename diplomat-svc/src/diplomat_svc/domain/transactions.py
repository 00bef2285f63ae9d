"""The definition of a transaction, and the options of the service."""

import dataclasses
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Self

from mft_common.endpoints.registry import Endpoints
from mft_common.endpoints.targets import parse_url
from mft_common.notify import Channels
from mft_common.transfer.steps.openpgp import Key

Direction = Literal["outbound", "inbound"]
IfExists = Literal["replace", "fail", "number"]
Mode = Literal["binary", "ascii"]
Content = Literal["original", "delivered"]

# The words of the API for a direction (66).
DIRECTIONS: Final = {"outbound": "Outbound", "inbound": "Inbound"}
NOT_SCHEDULED: Final = "Not Scheduled"
SCHEDULED: Final = "Scheduled"
THIRD_PARTY_SCHEDULED: Final = "3rd Party Scheduler"
# The word of the configuration for a transaction that another program schedules.
THIRD_PARTY: Final = "third-party"
LONGEST_STOP_GRACE_S: Final = 20.0


@dataclass(frozen=True, kw_only=True)
class Source:
    """The folder that files come from: `files` and `required` are patterns, `min_age` is in seconds.

    `only` is the exact name of the one file that a triggered job moves; no configuration has it.
    """

    url: str
    files: tuple[str, ...]
    required: tuple[str, ...] = ()
    min_age: float = 0.0
    only: str | None = None


@dataclass(frozen=True, kw_only=True)
class Destination:
    """The folder that files go to: `files` is a template in which `*` stands for the source's name; None keeps it.

    With `if_exists` "number" a file gets the first name of `a.txt`, `a-1.txt`, `a-2.txt` that is free.
    """

    url: str
    files: str | None = None
    if_exists: IfExists = "replace"


@dataclass(frozen=True, kw_only=True)
class OpenPgp:
    """The keys, by their names, that sign, encrypt, decrypt and verify the files.

    Outbound: `sign` with our key, then `encrypt` for all these, as text with `armor`. Inbound: `decrypt` with our key,
    and take signatures of `verify` alone.
    """

    encrypt: tuple[str, ...] = ()
    sign: str | None = None
    armor: bool = False
    decrypt: str | None = None
    verify: tuple[str, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """The names of all keys that are needed."""
        ours = [name for name in (self.sign, self.decrypt) if name is not None]
        return tuple(dict.fromkeys([*self.encrypt, *ours, *self.verify]))


@dataclass(frozen=True, kw_only=True)
class Compress:
    """Outbound: the name of the archive that joins all files, `zip`. Inbound: whether archives are unpacked.

    An archive that unpacks to more than `limit` bytes, or has more `members`, is refused.
    """

    zip: str | None = None
    unzip: bool = False
    limit: int = 10 << 30
    members: int = 10_000


@dataclass(frozen=True, kw_only=True)
class Archive:
    """A folder for copies: of the files as they were at the source, or as they were delivered."""

    url: str
    content: Content = "original"


@dataclass(frozen=True, kw_only=True)
class Archives:
    """The archives of a transaction."""

    primary: Archive | None = None
    additional: Archive | None = None

    @property
    def named(self) -> dict[str, Archive]:
        """Those that there are, by their names."""
        both = {"primary": self.primary, "additional": self.additional}
        return {name: archive for name, archive in both.items() if archive is not None}

    def wants(self, content: Content) -> bool:
        """Return whether one of them keeps this content."""
        return any(archive.content == content for archive in self.named.values())


@dataclass(frozen=True, kw_only=True)
class Retries:
    """The number of further tries for one file, the first of them after `file_delay` seconds, and for the whole job.

    Each further attempt of a job begins `job_delay` seconds after the end of the one before.
    """

    file: int = 2
    file_delay: float = 5.0
    job: int = 0
    job_delay: float = 600.0


@dataclass(frozen=True, kw_only=True)
class Audit:
    """Whether jobs have audit records, and end `Critical` without; None is as `diplomat.audit` says, else False."""

    record: bool | None = None
    critical: bool | None = None


@dataclass(frozen=True, kw_only=True)
class AuditTrail:
    """The audit database: its URL with the password in it, and the folder that the service makes for a SQLite file."""

    url: str = field(repr=False)
    folder: str = field(default="", repr=False)


@dataclass(frozen=True, kw_only=True)
class Notify:
    """A rule for notifications: the words `on` (`notices.WORDS`), mail addresses, and the name of a webhook.

    The webhook's URL and secret are those of the configuration in force under that name; no row holds them. A job that
    is not over `after` seconds after its scheduled time is late; without it, at the next time of the schedule.
    """

    on: tuple[str, ...]
    email: tuple[str, ...] = ()
    webhook: str | None = None
    after: float | None = None


@dataclass(frozen=True, kw_only=True)
class CronSchedule:
    """When jobs begin by themselves; with `catch_up` a time that passed while nothing ran gets a job later (E17)."""

    cron: str
    time_zone: str = "UTC"
    catch_up: bool = False


@dataclass(frozen=True, kw_only=True)
class Trigger:
    """The folder of the hub's own store in which a new file that matches one of the patterns `files` starts a job."""

    stored: str
    files: tuple[str, ...] = ("*",)

    @property
    def folder(self) -> str:
        """The folder in the store, which begins with `/`."""
        return parse_url(self.stored).folder


@dataclass(frozen=True, kw_only=True)
class Transaction:
    """A definition of the configuration; a job keeps the copy that was valid when the job was scheduled."""

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
    mode: Mode = "binary"
    verify: Literal["sha256", "size"] = "sha256"
    retries: Retries = field(default_factory=Retries)
    bandwidth: int | None = None
    notify: tuple[Notify, ...] = ()
    openpgp: OpenPgp | None = None
    schedule: CronSchedule | Literal["third-party"] | None = None
    trigger: Trigger | None = None
    compress: Compress = field(default_factory=Compress)
    archive: Archives = field(default_factory=Archives)
    audit: Audit = field(default_factory=Audit)

    @property
    def state(self) -> str:
        """The state of the schedule in the words of the API (66)."""
        if not self.enabled or self.schedule is None:
            return NOT_SCHEDULED
        return SCHEDULED if isinstance(self.schedule, CronSchedule) else THIRD_PARTY_SCHEDULED

    @property
    def written_urls(self) -> tuple[str, ...]:
        """The endpoints that a job writes to: the destination and the archives."""
        return (self.destination.url, *(archive.url for archive in self.archive.named.values()))

    @property
    def swept_urls(self) -> tuple[str, ...]:
        """The endpoints at which a job may leave something: sources that it deletes are moved aside first."""
        return (self.source.url, *self.written_urls) if self.delete_source else self.written_urls

    def to_json(self) -> str:
        """Return the definition as the database stores it."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the definition of a JSON text that any version has written.

        Fields that this version does not know are ignored, those that the text lacks have their defaults.
        """
        values: dict[str, Any] = json.loads(text)
        values["source"] = Source(**_known(Source, _tuples(values["source"])))
        values["destination"] = Destination(**_known(Destination, values["destination"]))
        archives = values.get("archive", {}).items()
        values["archive"] = Archives(**{name: Archive(**_known(Archive, one)) for name, one in archives if one})
        values["compress"] = Compress(**_known(Compress, values.get("compress", {})))
        if openpgp := values.get("openpgp"):
            values["openpgp"] = OpenPgp(**_known(OpenPgp, _tuples(openpgp)))
        values["retries"] = Retries(**_known(Retries, values.get("retries", {})))
        values["audit"] = Audit(**_known(Audit, values.get("audit", {})))
        values["notify"] = tuple(Notify(**_known(Notify, _tuples(one))) for one in values.get("notify", ()))
        if isinstance(schedule := values.get("schedule"), dict):
            values["schedule"] = CronSchedule(**_known(CronSchedule, schedule))
        if trigger := values.get("trigger"):
            values["trigger"] = Trigger(stored=trigger["stored"], files=tuple(trigger["files"]))
        return cls(**_known(cls, values))


def _tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values with tuples in the place of JSON's lists."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def _known(kind: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of `values` that are fields of the dataclass `kind`."""
    return {field.name: values[field.name] for field in dataclasses.fields(kind) if field.name in values}


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
    stop_grace: float = LONGEST_STOP_GRACE_S
    logs_keep: float | None = 30 * 86_400.0
    histories_keep: float | None = 90 * 86_400.0
    histories_newest: int | None = 10_000
    logs_time_zone: str = "UTC"
    log_buffer_lines: int = 1000
    histories_enabled: bool = True
    histories_update_rate: float = 10.0

    def license_lapsed(self, now: int) -> bool:
        """Return whether the licence is not valid any more at a time in milliseconds."""
        return self.valid_until is not None and now > self.valid_until


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """The sections of crossdock.yaml that this service uses."""

    options: Options = field(default_factory=Options)
    transactions: tuple[Transaction, ...] = ()
    endpoints: Endpoints = field(default_factory=Endpoints)
    channels: Channels = field(default_factory=Channels)
    keys: Mapping[str, Key] = field(default_factory=dict)
    audit: AuditTrail | None = None
