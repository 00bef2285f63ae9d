"""Read this service's sections of crossdock.yaml; accounts and their grants are read by the gateway."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from marshmallow import RAISE, Schema, ValidationError, fields, validate

from mft_common import logs
from mft_common.config import Reader, Sections, problems_of
from mft_common.endpoints import registry
from mft_common.endpoints.errors import TransferError
from mft_common.endpoints.registry import Endpoints, read_endpoints
from mft_common.endpoints.targets import REFERENCE, Target
from mft_common.errors import ConfigError
from mft_common.schedules.zones import time_zone
from mqmft_svc.domain.agents import ROOTS, Agent
from mqmft_svc.domain.brokers import is_broker
from mqmft_svc.domain.monitors import Monitor
from mqmft_svc.schemas.configured_monitors import read_monitors
from mqmft_svc.schemas.configured_transfers import Bodies, body_of, read_transfers

_SECTION: Final = "ibm_mq_mft"
SECTIONS: Final[Sections] = {_SECTION: dict, **registry.SECTIONS}
RESERVED: Final = ("CLIENT", "FILESTORE", "DIPLOMAT", "DATAPROTECTOR")
AGENT_NAME: Final = validate.Regexp(r"\A[A-Z0-9._/]{1,28}\Z", error="An agent's name is 1 to 28 of A-Z 0-9 . _ /")
QMGR_NAME: Final = validate.Regexp(r"\A[A-Za-z0-9._/%]{1,48}\Z", error="Not the name of a queue manager.")
_QMGR_OR_NONE: Final = validate.Regexp(r"\A[A-Za-z0-9._/%]{0,48}\Z", error="Not the name of a queue manager.")


@dataclass(frozen=True, kw_only=True)
class Section:
    """The coordination queue manager, empty when none is named, agents by their name, monitors, and all endpoints.

    `timezone` is that of schedules which name no other one. `transfers` are the bodies of requests by their names.
    """

    coordination_qmgr: str = ""
    timezone: str = "UTC"
    agents: Mapping[str, Agent] = field(default_factory=dict)
    transfers: Bodies = field(default_factory=dict)
    monitors: tuple[Monitor, ...] = ()
    endpoints: Endpoints = field(default_factory=Endpoints)


def _zone(name: str) -> None:
    try:
        time_zone(name)
    except ValueError as error:
        raise ValidationError(str(error)) from error


def _maximum(**more: Any) -> fields.Integer:
    return fields.Integer(strict=True, validate=validate.Range(min=1), **more)


class _AgentSchema(Schema):
    class Meta:
        unknown = RAISE

    qmgr = fields.String(required=True, validate=QMGR_NAME)
    root = fields.String(required=True)
    description = fields.String()
    timezone = fields.String(validate=_zone)
    queues = fields.Raw()
    message_groups = fields.Boolean(truthy={True}, falsy={False})
    allow = fields.List(fields.String())
    maximum_queued_transfers = _maximum()
    maximum_source_transfers = _maximum()
    maximum_destination_transfers = _maximum()


class _SectionSchema(Schema):
    class Meta:
        unknown = RAISE

    coordination_qmgr = fields.String(validate=_QMGR_OR_NONE)
    timezone = fields.String(load_default="UTC", validate=_zone)
    agents = fields.Dict(keys=fields.String(validate=AGENT_NAME), values=fields.Nested(_AgentSchema))
    # The bodies of requests (1.J, 1.L), as `crossdock import ibm-mft` writes them.
    transfers = fields.List(fields.Dict(keys=fields.String()))
    monitors = fields.List(fields.Dict(keys=fields.String()))


def read_sections(document: Mapping[str, Any], reader: Reader) -> Section:
    """Read `ibm_mq_mft` and the endpoints; ConfigError names every problem in them by its path."""
    problems: list[str] = []
    secrets = replace(reader, problems=problems)
    try:
        loaded = _SectionSchema().load(document.get(_SECTION) or {})
    except ValidationError as error:
        problems += problems_of(error, _SECTION)
        loaded = {}
    endpoints = read_endpoints(document, secrets, reader.data)
    declared = document.get("endpoints") or {}
    agents = {}
    for name, entry in loaded.get("agents", {}).items():
        path = f"{_SECTION}.agents.{name}"
        if _is_broken(entry["root"], declared, endpoints):
            # Its own problems are named already.
            continue
        agent = _agent(name, entry, endpoints, secrets, path)
        if agent is not None:
            agents[name] = agent
    transfers = read_transfers(loaded.get("transfers", ()), loaded.get("agents", {}), problems, f"{_SECTION}.transfers")
    monitors = read_monitors(loaded.get("monitors", ()), loaded.get("agents", {}), problems, f"{_SECTION}.monitors")
    if problems:
        raise ConfigError(sorted(problems))
    return Section(
        coordination_qmgr=loaded.get("coordination_qmgr", ""),
        timezone=loaded["timezone"],
        agents=agents,
        transfers=transfers,
        monitors=monitors,
        endpoints=endpoints,
    )


def declared_timezone(document: Mapping[str, Any]) -> str:
    """Return the hub's own time zone in a valid configuration."""
    return str(_SectionSchema().load(document.get(_SECTION) or {})["timezone"])


def declared_agents(document: Mapping[str, Any]) -> list[Agent]:
    """Return the agents of a valid configuration by name, without their secrets, which are not looked up.

    Of the `target` the scheme is known alone, and `queues` says no more than whether there is a message broker.
    """
    entries = _SectionSchema().load(document.get(_SECTION) or {}).get("agents", {})
    return [_declared_agent(name, one, document) for name, one in sorted(entries.items())]


def declared_transfers(document: Mapping[str, Any]) -> Bodies:
    """Return the bodies of the named transfers of a valid configuration by their names, in its order."""
    entries = _SectionSchema().load(document.get(_SECTION) or {}).get("transfers", ())
    return {one["name"]: body_of(one) for one in entries}


def _declared_agent(name: str, entry: dict[str, Any], document: Mapping[str, Any]) -> Agent:
    values = _values(entry) | {"queues": logs.REDACTED if "queues" in entry else ""}
    return Agent(name=name, target=Target(scheme=_scheme(entry["root"], document)), **values)


def _scheme(root: str, document: Mapping[str, Any]) -> str:
    name = root.removeprefix(REFERENCE).partition("/")[0]
    url = document["endpoints"][name]["url"] if root.startswith(REFERENCE) else root
    return str(url).partition(":")[0]


def _values(entry: dict[str, Any]) -> dict[str, Any]:
    return {**entry, "allow": tuple(entry["allow"]) if "allow" in entry else None}


def _is_broken(root: str, declared: Mapping[str, Any], endpoints: Endpoints) -> bool:
    """Return whether a root names an endpoint that is declared and has problems."""
    name = root.removeprefix(REFERENCE).partition("/")[0]
    return root.startswith(REFERENCE) and name in declared and name not in endpoints.targets.named


def _agent(name: str, entry: dict[str, Any], endpoints: Endpoints, secrets: Reader, path: str) -> Agent | None:
    if name in RESERVED:
        secrets.problems.append(f"{path}: this name is the hub's own")
    values = _values(entry)
    if "queues" in entry:
        values["queues"] = secrets.secret(entry["queues"], f"{path}.queues")
        if values["queues"] and not is_broker(values["queues"]):
            secrets.problems.append(f"{path}.queues: is no URL of the form amqp://user:password@host:port/vhost")
    try:
        target = endpoints.find(entry["root"])
    except TransferError as error:
        secrets.problems.append(f"{path}.root: {error}")
        return None
    if target.scheme not in ROOTS:
        secrets.problems.append(f"{path}.root: the root of an agent is no {target.scheme}: endpoint")
        return None
    return Agent(name=name, target=target, **values)
