"""Read the section `ibm_mq_mft` of crossdock.yaml; accounts and their grants are read by the gateway."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from zoneinfo import ZoneInfo, available_timezones

from marshmallow import RAISE, Schema, ValidationError, fields, post_load, validate

from mft_common.config import UNUSED, Reader, Sections, problems_of, unused_keys
from mft_common.errors import ConfigError

_SECTION: Final = "ibm_mq_mft"
SECTIONS: Final[Sections] = {_SECTION: dict}
_RESERVED: Final = ("CLIENT", "FILESTORE", "DIPLOMAT", "DATAPROTECTOR")
_AGENT_NAME: Final = validate.Regexp(r"\A[A-Z0-9._/]{1,28}\Z", error="An agent's name is 1 to 28 of A-Z 0-9 . _ /")
_QMGR_NAME: Final = validate.Regexp(r"\A[A-Za-z0-9._/%]{1,48}\Z", error="Not the name of a queue manager.")
_QMGR_OR_NONE: Final = validate.Regexp(r"\A[A-Za-z0-9._/%]{0,48}\Z", error="Not the name of a queue manager.")
_ROOT: Final = validate.Regexp(r"\A(file|sftp|s3|ftp|ftps|filestore|endpoint):.*", error="Not a root such as file:...")


@dataclass(frozen=True, kw_only=True)
class Agent:
    """A named root between which managed transfers run; `queues` is the URL of its message broker, if it has one."""

    name: str
    qmgr: str
    root: str
    description: str = ""
    timezone: str = "UTC"
    queues: str = field(default="", repr=False)
    allow: tuple[str, ...] | None = None
    maximum_source_transfers: int = 25
    maximum_destination_transfers: int = 25


@dataclass(frozen=True, kw_only=True)
class Section:
    """The coordination queue manager, empty when none is named, and the agents by their name."""

    coordination_qmgr: str = ""
    agents: Mapping[str, Agent] = field(default_factory=dict)


class _AgentSchema(Schema):
    class Meta:
        unknown = RAISE

    qmgr = fields.String(required=True, validate=_QMGR_NAME)
    root = fields.String(required=True, validate=_ROOT)
    description = fields.String()
    timezone = fields.String()
    queues = fields.Raw()
    allow = fields.List(fields.String())
    maximum_source_transfers = fields.Integer(strict=True, validate=validate.Range(min=1))
    maximum_destination_transfers = fields.Integer(strict=True, validate=validate.Range(min=1))

    @post_load
    def _check_zone(self, loaded: dict[str, Any], **_kwargs: Any) -> dict[str, Any]:
        zone = loaded.get("timezone", "UTC")
        if zone != "UTC" and zone not in available_timezones():
            raise ValidationError("No such time zone.", "timezone")
        ZoneInfo(zone)
        return loaded


class _SectionSchema(Schema):
    class Meta:
        unknown = RAISE

    coordination_qmgr = fields.String(validate=_QMGR_OR_NONE)
    agents = fields.Dict(keys=fields.String(validate=_AGENT_NAME), values=fields.Nested(_AgentSchema), metadata=UNUSED)


def read_sections(document: Mapping[str, Any], reader: Reader) -> Section:
    """Read the section `ibm_mq_mft`; ConfigError names every problem in it by its path."""
    try:
        loaded = _SectionSchema().load(document.get(_SECTION) or {})
    except ValidationError as error:
        raise ConfigError(problems_of(error, _SECTION)) from error
    agents = {name: _agent(name, entry, reader) for name, entry in loaded.get("agents", {}).items()}
    reader.check()
    return Section(coordination_qmgr=loaded.get("coordination_qmgr", ""), agents=agents)


def unused(document: Mapping[str, Any]) -> list[str]:
    """Return the paths of keys that are validated and have no effect yet."""
    return unused_keys(_SectionSchema(), document.get(_SECTION), _SECTION)


def _agent(name: str, entry: dict[str, Any], reader: Reader) -> Agent:
    if name in _RESERVED:
        reader.problems.append(f"{_SECTION}.agents.{name}: this name is the hub's own")
    values = {**entry, "allow": tuple(entry["allow"]) if "allow" in entry else None}
    if "queues" in entry:
        values["queues"] = reader.secret(entry["queues"], f"{_SECTION}.agents.{name}.queues")
    return Agent(name=name, **values)
