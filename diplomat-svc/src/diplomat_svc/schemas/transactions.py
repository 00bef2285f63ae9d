"""Read one transaction of the configuration."""

from collections.abc import Collection, Mapping
from typing import Any, Literal

from marshmallow import Schema, ValidationError, fields, post_load, validate

from diplomat_svc.domain.names import controls
from diplomat_svc.domain.transactions import (
    THIRD_PARTY,
    Archive,
    Archives,
    Audit,
    Compress,
    CronSchedule,
    Destination,
    OpenPgp,
    Retries,
    Source,
    Transaction,
    Trigger,
)
from diplomat_svc.schemas.audit import TransactionAuditSchema
from diplomat_svc.schemas.notify import NotifySchema
from mft_common import config
from mft_common.endpoints.errors import BadName
from mft_common.endpoints.targets import parse_url
from mft_common.errors import ConfigError
from mft_common.schedules import Cron, read_schedule

_YES: dict[str, Any] = {"truthy": {True}, "falsy": {False}}
_LONGEST_NAME = 255


def _url(value: str) -> None:
    if value.startswith("filestore:") and not value.startswith("filestore:/"):
        raise ValidationError("a folder of the hub's own store begins with filestore:/")


def _name(value: str) -> None:
    if not 1 <= len(value) <= _LONGEST_NAME or controls(value):
        raise ValidationError(f"has 1 to {_LONGEST_NAME} characters, none of them a control character")


def _schedule(value: Any) -> CronSchedule | Literal["third-party"] | None:
    """Return the schedule of a transaction: a cron expression with its zone, `third-party` or `none`."""
    if value in (None, "none"):
        return None
    if value == THIRD_PARTY:
        return "third-party"
    if not isinstance(value, dict) or "cron" not in value:
        raise ValidationError("is {cron: ..., time_zone: ..., catch_up: ...}, third-party or none")
    problems = {str(name): ["no such key"] for name in value.keys() - {"cron", "time_zone", "catch_up"}}
    catch_up = value.get("catch_up", False)
    if not isinstance(catch_up, bool):
        problems["catch_up"] = ["is true or false"]
    try:
        found = read_schedule({name: value[name] for name in ("cron", "time_zone") if name in value}, "")
    except ConfigError as error:
        for problem in error.problems:
            name, _, text = problem.partition(": ")
            problems.setdefault(name, []).append(text)
    if problems:
        raise ValidationError(problems)
    assert isinstance(found, Cron)
    return CronSchedule(cron=found.expression, time_zone=found.zone.key, catch_up=catch_up)


def _stored(value: str) -> None:
    _url(value)
    try:
        if parse_url(value).scheme != "filestore":
            raise ValidationError("is a folder of the hub's own store, such as filestore:/in")
    except BadName as error:
        raise ValidationError(str(error)) from error


def _pattern(value: str) -> None:
    if "/" in value or "\0" in value or value in ("", ".", ".."):
        raise ValidationError("is a name or a pattern for names, never a path")


def _archive(value: str) -> None:
    _pattern(value)
    if "*" in value or "?" in value:
        raise ValidationError("is the name of one file, without * and ?")


class _SourceSchema(Schema):
    url = fields.String(required=True, validate=_url)
    files = fields.List(fields.String(validate=_pattern), required=True, validate=validate.Length(min=1))
    required = fields.List(fields.String(validate=_pattern), load_default=list)
    min_age = config.Duration(load_default=0.0)

    @post_load
    def _make(self, values: dict[str, Any], **_kwargs: Any) -> Source:
        return Source(**{**values, "files": tuple(values["files"]), "required": tuple(values["required"])})


class _DestinationSchema(Schema):
    url = fields.String(required=True, validate=_url)
    files = fields.String(load_default=None, validate=_pattern)
    if_exists = fields.String(load_default="replace", validate=[validate.OneOf(("replace", "fail", "number"))])

    @post_load
    def _make(self, values: dict[str, Any], **_kwargs: Any) -> Destination:
        return Destination(**values)


class _RetriesSchema(Schema):
    file = fields.Integer(strict=True, load_default=2, validate=validate.Range(min=0, max=100))
    file_delay = config.Duration(load_default=5.0)
    job = fields.Integer(strict=True, load_default=0, validate=validate.Range(min=0, max=100))
    job_delay = config.Duration(load_default=600.0)

    @post_load
    def _make(self, values: dict[str, Any], **_kwargs: Any) -> Retries:
        return Retries(**values)


class _TriggerSchema(Schema):
    stored = fields.String(required=True, validate=_stored)
    files = fields.List(fields.String(validate=_pattern), load_default=lambda: ["*"], validate=validate.Length(min=1))

    @post_load
    def _make(self, values: dict[str, Any], **_kwargs: Any) -> Trigger:
        return Trigger(stored=values["stored"], files=tuple(values["files"]))


class _OpenPgpSchema(Schema):
    encrypt = fields.List(fields.String(), validate=validate.Length(min=1))
    sign = fields.String()
    armor = fields.Boolean(**_YES)
    decrypt = fields.String()
    verify = fields.List(fields.String(), validate=validate.Length(min=1))

    @post_load
    def _make(self, values: dict[str, Any], **_kwargs: Any) -> OpenPgp:
        lists = {name: tuple(values.get(name, ())) for name in ("encrypt", "verify")}
        return OpenPgp(**{**values, **lists})


class _ArchiveSchema(Schema):
    url = fields.String(required=True, validate=_url)
    content = fields.String(load_default="original", validate=validate.OneOf(("original", "delivered")))

    @post_load
    def _make(self, values: dict[str, Any], **_kwargs: Any) -> Archive:
        return Archive(**values)


class _ArchivesSchema(Schema):
    primary = fields.Nested(_ArchiveSchema)
    additional = fields.Nested(_ArchiveSchema)

    @post_load
    def _make(self, values: dict[str, Any], **_kwargs: Any) -> Archives:
        if not values:
            raise ValidationError("has primary, additional or both")
        return Archives(**values)


class _CompressSchema(Schema):
    zip = fields.String(validate=_archive)
    unzip = fields.Boolean(validate=validate.Equal(True, error="is true, or left out"), **_YES)
    limit = config.Size(validate=validate.Range(min=1))
    members = fields.Integer(strict=True, validate=validate.Range(min=1, max=1_000_000))

    @post_load
    def _make(self, values: dict[str, Any], **_kwargs: Any) -> Compress:
        return Compress(**values)


def _check_compress(given: Compress, keys: Collection[str], direction: str) -> None:
    """Raise ValidationError where one of the `keys` has no meaning in this direction."""
    foreign = ("unzip", "limit", "members") if direction == "outbound" else ("zip",)
    if wrong := [name for name in foreign if name in keys]:
        raise ValidationError({"compress": [f"{', '.join(wrong)} has no meaning for {direction}"]})
    if not (given.zip or given.unzip):
        raise ValidationError({"compress": ["has either zip with a name or unzip: true"]})


def _check_openpgp(spec: OpenPgp, keys: Collection[str], direction: str) -> None:
    """Raise ValidationError where one of the `keys` has no meaning in this direction, or nothing is asked for."""
    if direction == "outbound" and not {"decrypt", "verify"}.isdisjoint(keys):
        raise ValidationError({"openpgp": ["decrypt and verify have no meaning for outbound"]})
    if direction == "inbound" and not {"encrypt", "sign", "armor"}.isdisjoint(keys):
        raise ValidationError({"openpgp": ["encrypt, sign and armor have no meaning for inbound"]})
    if not spec.keys:
        raise ValidationError({"openpgp": ["names no key to encrypt, sign, decrypt or verify with"]})


class TransactionSchema(Schema):
    """One transaction."""

    name = fields.String(required=True, validate=_name)
    id = fields.Integer(strict=True, load_default=None, validate=validate.Range(min=1, max=10**15 - 1))
    direction = fields.String(required=True, validate=validate.OneOf(("outbound", "inbound")))
    api_allowed = fields.Boolean(load_default=False, **_YES)
    enabled = fields.Boolean(load_default=True, **_YES)
    source = fields.Nested(_SourceSchema, required=True)
    destination = fields.Nested(_DestinationSchema, required=True)
    variables = fields.Dict(keys=fields.String(), values=fields.String(), load_default=dict)
    fail_if_not_found = fields.Boolean(load_default=False, **_YES)
    delete_source = fields.Boolean(load_default=False, **_YES)
    verify = fields.String(load_default="sha256", validate=validate.OneOf(("sha256", "size")))
    retries = fields.Nested(_RetriesSchema, load_default=Retries)
    bandwidth = config.Rate(load_default=None, validate=validate.Range(min=1))
    mode = fields.String(load_default="binary", validate=validate.OneOf(("binary", "ascii")))
    schedule = fields.Function(deserialize=_schedule, load_default=None, allow_none=True)
    compress = fields.Nested(_CompressSchema)
    openpgp = fields.Nested(_OpenPgpSchema, load_default=None)
    archive = fields.Nested(_ArchivesSchema)
    trigger = fields.Nested(_TriggerSchema, load_default=None, allow_none=True)
    audit = fields.Nested(TransactionAuditSchema, load_default=Audit)
    notify = fields.List(fields.Nested(NotifySchema), load_default=list)

    @post_load(pass_original=True)
    def _make(self, values: dict[str, Any], original: Mapping[str, Any], **_kwargs: Any) -> Transaction:
        values["notify"] = tuple(values["notify"])
        if "compress" in values:
            _check_compress(values["compress"], original["compress"], values["direction"])
        if values["openpgp"] is not None:
            _check_openpgp(values["openpgp"], original["openpgp"], values["direction"])
        return Transaction(**values)
