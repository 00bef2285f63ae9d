"""Validate the body of `POST monitor` (1.L), and make a monitor of it."""

import re
from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Final

from marshmallow import ValidationError, fields, validates_schema

from mqmft_svc.domain import variables
from mqmft_svc.domain.monitors import CONDITIONS, DIRECTORY, INTERVALS, MATCHES, SIZES, TYPES, Condition, Monitor
from mqmft_svc.domain.submissions import Submission
from mqmft_svc.errors import BodyInvalid, MonitorNameInvalid
from mqmft_svc.schemas.bodies import load, without_nulls
from mqmft_svc.schemas.fields import (
    MISSING,
    NO_OBJECT,
    NotServed,
    Strict,
    Text,
    Whole,
    between,
    long,
    needed,
    nested,
    some,
    texts,
)
from mqmft_svc.schemas.patterns import PatternInvalid, check_regex
from mqmft_svc.schemas.submissions import submission

LONGEST_NAME: Final = 256
_BAD_IN_NAMES: Final = frozenset("*%?/\\")
_MOST_MATCHES: Final = 1000
_DEEPEST: Final = 1000
_MOST_POLLS: Final = 100_000
_MOST_BYTES: Final = 1 << 53
_LONGEST_PATTERN: Final = 256
_LONGEST_INTERVAL: Final = 1_000_000
# What a variable may stand for where its value is known only later.
_SAMPLE: Final = "sample"


def _interval() -> Whole:
    return Whole(data_key="pollInterval", validate=between(1, _LONGEST_INTERVAL))


class _GeneralSchema(Strict):
    interval = _interval()
    unit = Text(data_key="pollIntervalUnit", validate=some(*INTERVALS))
    matches = Whole(data_key="matchesPerTask", validate=between(1, _MOST_MATCHES))


class _ResourceSchema(Strict):
    name = needed()
    depth = Whole(data_key="recursionLevel", validate=between(0, _DEEPEST))


class _ConditionSchema(Strict):
    type = Text(
        required=True,
        validate=some(*(one for kinds in CONDITIONS.values() for one in kinds)),
        error_messages={"required": MISSING},
    )
    included = Text(data_key="includePattern", validate=long(_LONGEST_PATTERN))
    excluded = Text(data_key="excludePattern", validate=long(_LONGEST_PATTERN))
    match = Text(data_key="matchPattern", validate=some(*MATCHES))
    polls = Whole(data_key="noFileSizeChangePollCount", validate=between(0, _MOST_POLLS))
    size = Whole(data_key="fileSize", validate=between(0, _MOST_BYTES))
    unit = Text(data_key="fileSizeUnit", validate=some(*SIZES))

    @validates_schema
    def _check(self, loaded: Mapping[str, Any], **_kwargs: Any) -> None:
        if loaded.get("type") == "sizeGreaterOrEqualTo" and "size" not in loaded:
            raise ValidationError(MISSING, "fileSize")
        for name in ("included", "excluded"):
            if loaded.get("match") == "regex" and name in loaded:
                try:
                    check_regex(loaded[name])
                except PatternInvalid as error:
                    raise ValidationError(str(error), self.fields[name].data_key or name) from error


class _MonitorSchema(Strict):
    name = needed()
    type = Text(required=True, validate=some(*TYPES), error_messages={"required": MISSING})
    agent = needed(data_key="agentName")
    general = fields.Nested(_GeneralSchema)
    resource = nested(_ResourceSchema)
    condition = nested(_ConditionSchema, data_key="triggerCondition")
    # Its own schema reads it, with the variables replaced.
    definition = fields.Dict(
        required=True,
        data_key="transferDefinition",
        error_messages={"required": MISSING, "invalid": NO_OBJECT},
    )
    user_properties = texts(data_key="userProperties")
    variables = texts(data_key="defaultVariables")
    content = NotServed(data_key="triggerFileContentFormat")

    @validates_schema
    def _check(self, loaded: Mapping[str, Any], **_kwargs: Any) -> None:
        kinds = CONDITIONS[loaded["type"]]
        if loaded["condition"]["type"] not in kinds:
            problem = f"of a {loaded['type']} it must be one of {', '.join(kinds)}."
            raise ValidationError({"triggerCondition": {"type": [problem]}})
        if loaded["type"] == DIRECTORY and ".." in loaded["resource"]["name"].split("/"):
            raise ValidationError({"resource": {"name": ["it must not hold the step .."]}})
        for name in loaded.get("variables", {}):
            if not re.fullmatch(r"[^{}$]+", name):
                raise ValidationError("a name must not hold a brace or a dollar sign.", "defaultVariables")


_SCHEMA: Final = _MonitorSchema()


def monitor_name(text: str) -> str:
    """Return a monitor's name in upper case; MonitorNameInvalid for what can be none."""
    name = text.upper()
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable() or _BAD_IN_NAMES & set(name):
        raise MonitorNameInvalid(name=text[:LONGEST_NAME])
    return name


def read_monitor(body: Mapping[str, Any], account: str) -> tuple[Monitor, Submission]:
    """Return the monitor that a body asks for, and a transfer such as it would begin.

    BodyInvalid names the path of the attribute that is wrong, MonitorNameInvalid its name. Empty patterns count as
    absent.
    """
    given = _without_empty_patterns(without_nulls(body))
    loaded: dict[str, Any] = load(_SCHEMA, given)
    document = _with_defaults(given, loaded)
    example = _example(document)
    return monitor_of(document, account), example


def monitor_of(document: Mapping[str, Any], account: str, number: int = 0) -> Monitor:
    """Return the monitor of a document as it is stored."""
    general, trigger = document["general"], document["triggerCondition"]
    condition = Condition(
        type=trigger["type"],
        include=trigger.get("includePattern", ""),
        exclude=trigger.get("excludePattern", ""),
        match=trigger.get("matchPattern", "wildcard"),
        polls=trigger.get("noFileSizeChangePollCount", 0) if trigger["type"] == "noChangeInSize" else 0,
        size=trigger.get("fileSize", 0) * SIZES[trigger.get("fileSizeUnit", "bytes")],
    )
    return Monitor(
        name=document["name"],
        type=document["type"],
        agent=document["agentName"],
        resource=document["resource"]["name"],
        depth=document["resource"].get("recursionLevel", 0),
        interval_s=general["pollInterval"] * INTERVALS[general["pollIntervalUnit"]],
        matches=general["matchesPerTask"],
        condition=condition,
        document=document,
        account=account,
        number=number,
    )


def _without_empty_patterns(body: Mapping[str, Any]) -> dict[str, Any]:
    trigger = body.get("triggerCondition")
    if not isinstance(trigger, dict):
        return dict(body)
    kept = {name: one for name, one in trigger.items() if name not in ("includePattern", "excludePattern") or one != ""}
    return {**body, "triggerCondition": kept}


def _with_defaults(given: Mapping[str, Any], loaded: Mapping[str, Any]) -> dict[str, Any]:
    """Return the definition as `GET` shows it, in the protocol's order."""
    document: dict[str, Any] = deepcopy(dict(given))
    document["name"] = monitor_name(loaded["name"])
    document["agentName"] = loaded["agent"].upper()
    general = {"pollInterval": 1, "pollIntervalUnit": "minutes", "matchesPerTask": 1}
    document["general"] = general | document.get("general", {})
    trigger = document["triggerCondition"]
    if loaded["type"] == DIRECTORY:
        document["resource"].setdefault("recursionLevel", 0)
        trigger.setdefault("matchPattern", "wildcard")
    if trigger["type"] == "noChangeInSize":
        trigger.setdefault("noFileSizeChangePollCount", 1)
    if trigger["type"] == "sizeGreaterOrEqualTo":
        trigger.setdefault("fileSizeUnit", "bytes")
    for name in ("userProperties", "defaultVariables"):
        document.setdefault(name, {})
    return document


def _example(document: Mapping[str, Any]) -> Submission:
    """Return a transfer of the definition; variables that have no value yet stand for a word."""
    definition, defaults = document["transferDefinition"], document["defaultVariables"]
    if "scheduleTransfer" in definition:
        raise BodyInvalid(name="transferDefinition.scheduleTransfer", reason="the transfer of a monitor has none.")
    values = {name.lower(): value for name, value in defaults.items()}
    for name in variables.names_in(definition):
        values.setdefault(name, _SAMPLE)
    try:
        return submission(variables.sampled(definition, values))
    except BodyInvalid as error:
        raise BodyInvalid(name=f"transferDefinition.{error.words['name']}", reason=error.words["reason"]) from error
