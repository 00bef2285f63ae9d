"""Read the sections of crossdock.yaml that are this service's, and name every problem by its path."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any, Final

from marshmallow import Schema, ValidationError, fields, validate

from diplomat_svc.domain.notices import LATE
from diplomat_svc.domain.transactions import LONGEST_STOP_GRACE_S, Configuration, CronSchedule, Options, Transaction
from diplomat_svc.schemas.audit import AuditSchema, audit_of, read_trail
from diplomat_svc.schemas.notify import MailSchema, read_mail, read_webhooks
from diplomat_svc.schemas.transactions import TransactionSchema
from mft_common import config
from mft_common.endpoints.registry import Endpoints, read_endpoints
from mft_common.errors import ConfigError
from mft_common.notify import Channels
from mft_common.schedules.zones import time_zone
from mft_common.transfer.steps.openpgp import Key, read_keys

SECTIONS: Final[config.Sections] = {
    "diplomat": dict,
    "endpoints": dict,
    "transactions": list,
    "openpgp": dict,
    "allowed_folders": list,
}
_HISTORIES: Final = {
    "enabled": "histories_enabled",
    "update_rate": "histories_update_rate",
    "keep": "histories_keep",
    "keep_newest": "histories_newest",
}
# The greatest number of lines, jobs or sessions: more than any hub has, and one that every database can compare.
_MOST: Final = 1_000_000_000
_YES: dict[str, Any] = {"truthy": {True}, "falsy": {False}}


def _zone(name: str) -> None:
    try:
        time_zone(name)
    except ValueError as error:
        raise ValidationError(str(error)) from error


class _License(Schema):
    valid_until = fields.Raw(load_default=None)


class _Sessions(Schema):
    limit = fields.Integer(strict=True, validate=validate.Range(min=1, max=_MOST))
    # A session that ends at once would answer a connect with 200 and every request with 401.
    idle = config.Duration(allow_none=True, validate=validate.Range(min=1))
    absolute = config.Duration(allow_none=True, validate=validate.Range(min=1))


class _Histories(Schema):
    enabled = fields.Boolean(**_YES)
    # Clients are told whole seconds (A45).
    update_rate = config.Duration(validate=validate.Range(min=1))
    keep = config.Duration(allow_none=True)
    keep_newest = fields.Integer(strict=True, allow_none=True, validate=validate.Range(min=1, max=_MOST))


class _Logs(Schema):
    keep = config.Duration(allow_none=True)
    time_zone = fields.String(validate=_zone)


class _Jobs(Schema):
    at_once = fields.Integer(strict=True, validate=validate.Range(min=1, max=64))
    queue_limit = fields.Integer(strict=True, validate=validate.Range(min=1, max=_MOST))
    lease = config.Duration(validate=validate.Range(min=1))
    # A worker that is given less time than this would end without signing out, and its queued jobs with it.
    stop_grace = config.Duration(validate=validate.Range(max=LONGEST_STOP_GRACE_S))


class _Diplomat(Schema):
    api = fields.Boolean(**_YES)
    license = fields.Nested(_License)
    display_name = fields.String(validate=validate.Length(min=1, max=255))
    sessions = fields.Nested(_Sessions)
    log_buffer_lines = fields.Integer(strict=True, validate=validate.Range(min=1, max=_MOST))
    histories = fields.Nested(_Histories)
    logs = fields.Nested(_Logs)
    jobs = fields.Nested(_Jobs)
    audit = fields.Nested(AuditSchema)
    mail = fields.Nested(MailSchema)


def read_sections(document: Mapping[str, Any], reader: config.Reader) -> Configuration:
    """Return the configuration of the sections; ConfigError lists every problem of all of them."""
    problems: list[str] = []
    data = reader.data
    options = _load(_Diplomat(), document.get("diplomat") or {}, "diplomat", problems)
    secrets = replace(reader, problems=problems)
    endpoints = read_endpoints(document, secrets, data)
    keys = read_keys(document.get("openpgp") or {}, secrets)
    definitions = document.get("transactions") or []
    if not isinstance(definitions, list):
        problems.append("transactions: is no list")
        definitions = []
    transactions = []
    for place, given in enumerate(definitions):
        before = len(problems)
        one = _load(TransactionSchema(), given, f"transactions.{place}", problems)
        if len(problems) == before:
            audit = audit_of(one.audit, options.get("audit"), f"transactions.{place}", problems)
            one = replace(one, audit=audit)
            transactions.append(one)
            problems += _url_problems(one, endpoints, f"transactions.{place}")
            problems += _late_problems(one, f"transactions.{place}")
            if "mail" not in (document.get("diplomat") or {}):
                problems += _mail_problems(one, f"transactions.{place}")
            problems += _key_problems(one, keys, document, f"transactions.{place}")
    _unique(transactions, problems)
    made = _options(options, problems)
    trail = read_trail(options["audit"], secrets) if "audit" in options else None
    mail = read_mail(options["mail"], secrets) if "mail" in options else None
    channels = Channels(webhooks=read_webhooks({**document, "transactions": definitions}, secrets), mail=mail)
    if problems:
        raise ConfigError(sorted(problems))
    return Configuration(
        options=made, transactions=tuple(transactions), endpoints=endpoints, channels=channels, audit=trail, keys=keys
    )


def unused(document: Mapping[str, Any]) -> list[str]:
    """Return the paths of keys that are validated and have no effect yet."""
    found = config.unused_keys(_Diplomat(), document.get("diplomat"), "diplomat")
    for place, given in enumerate(document.get("transactions") or []):
        found += config.unused_keys(TransactionSchema(), given, f"transactions.{place}")
    return found


def _load(schema: Schema, value: Any, path: str, problems: list[str]) -> Any:
    try:
        return schema.load(value)
    except ValidationError as error:
        problems.extend(config.problems_of(error, path))
        return {}


def _url_problems(one: Transaction, endpoints: Endpoints, path: str) -> list[str]:
    """Return one problem for each URL that cannot be opened."""
    found = {side: endpoints.problem_of(getattr(one, side).url) for side in ("source", "destination")}
    found |= {f"archive.{name}": endpoints.problem_of(given.url) for name, given in one.archive.named.items()}
    problems = [f"{path}.{side}.url: {problem}" for side, problem in found.items() if problem]
    if one.trigger is not None and not problems:
        source = endpoints.find(one.source.url)
        if source.scheme != "filestore" or source.folder != one.trigger.folder:
            problems.append(f"{path}.trigger.stored: is not the folder of source.url, from which its file is moved")
    return problems


def _late_problems(one: Transaction, path: str) -> list[str]:
    """Return one problem for each rule that wants to know of late jobs, and names no time that a job could miss."""
    if isinstance(one.schedule, CronSchedule):
        return []
    problem = "late needs a schedule, or the time after which a job that is not over is late"
    rules = enumerate(one.notify)
    return [f"{path}.notify.{n}.after: {problem}" for n, rule in rules if LATE in rule.on and rule.after is None]


def _mail_problems(one: Transaction, path: str) -> list[str]:
    """Return one problem for each rule that wants mails, which no server would send."""
    rules = enumerate(one.notify)
    return [f"{path}.notify.{place}.email: diplomat.mail names no server" for place, rule in rules if rule.email]


def _key_problems(one: Transaction, keys: Mapping[str, Key], document: Mapping[str, Any], path: str) -> list[str]:
    """Return one problem for each key that the section `openpgp` has not, or not as a secret one where it must be."""
    spec, declared = one.openpgp, document.get("openpgp") or {}
    if spec is None:
        return []
    ours = {"sign": spec.sign, "decrypt": spec.decrypt}
    found = [f"{path}.openpgp: there is no OpenPGP key {name}" for name in spec.keys if name not in declared]
    return found + [
        f"{path}.openpgp.{use}: the key {name} is a public key and cannot {use}"
        for use, name in ours.items()
        if name is not None and name in keys and not keys[name].listing.secret
    ]


def _unique(transactions: list[Transaction], problems: list[str]) -> None:
    for what in ("name", "id"):
        seen: set[Any] = set()
        for place, one in enumerate(transactions):
            value = getattr(one, what)
            if value is not None and value in seen:
                problems.append(f"transactions.{place}.{what}: {value} is given twice")
            seen.add(value)


def _options(given: Mapping[str, Any], problems: list[str]) -> Options:
    values: dict[str, Any] = {
        name: given[name] for name in ("api", "display_name", "log_buffer_lines") if name in given
    }
    values |= {f"session_{name}": value for name, value in given.get("sessions", {}).items()}
    values |= given.get("jobs", {})
    values |= {f"logs_{name}": value for name, value in given.get("logs", {}).items()}
    values |= {_HISTORIES[name]: value for name, value in given.get("histories", {}).items()}
    until = given.get("license", {}).get("valid_until")
    if until is not None:
        try:
            values["valid_until"] = _moment(until)
        except ValueError:
            problems.append("diplomat.license.valid_until: is no date")
    return Options(**values)


def _moment(value: Any) -> int:
    """Return a time, or the end of a date, in milliseconds; UTC where it has no zone."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value) if len(value) > 10 else date.fromisoformat(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, 23, 59, 59, 999_000, UTC)
    if not isinstance(value, datetime):
        raise ValueError("no date")  # noqa: TRY004 -- the caller wants one kind of error
    return int((value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp() * 1000)
