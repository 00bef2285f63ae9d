"""Read the receivers of notifications: rules of a transaction, webhooks with their secrets, and the mail server."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from marshmallow import Schema, ValidationError, fields, post_load, validate

from diplomat_svc.domain.notices import WORDS, concerns_late
from diplomat_svc.domain.transactions import Notify
from mft_common import config
from mft_common.notify import Mail, Webhook

# The webhooks of all transactions by their names, in the configuration that is stored for running workers.
WEBHOOKS: Final = "webhooks"
_LONGEST_ADDRESS: Final = 254
# What separates and wraps addresses in the header of a mail: a text with these could stand for several.
_NOT_IN_ADDRESSES: Final = frozenset(' ,;<>()"\\')


def _address(value: str) -> None:
    local, at, domain = value.rpartition("@")
    plain = value.isprintable() and not _NOT_IN_ADDRESSES.intersection(value)
    if not (local and at and domain) or len(value) > _LONGEST_ADDRESS or not plain:
        raise ValidationError("is no mail address")


def _url(value: Any) -> None:
    if not isinstance(value, str | Mapping):
        raise ValidationError("is an https: URL, or a reference to one as {env: NAME} or {file: PATH}")


class NotifySchema(Schema):
    """One rule; a webhook's URL, which may hold a token, can be given by reference like its secret."""

    on = fields.List(
        fields.String(validate=validate.OneOf(WORDS, error="is none of {choices}")),
        required=True, validate=validate.Length(min=1),
    )  # fmt: skip
    email = fields.List(fields.String(validate=_address), load_default=list)
    webhook = fields.Raw(load_default=None, validate=_url)
    secret = fields.Raw(load_default=None)
    after = config.Duration(load_default=None, validate=validate.Range(min=1))

    @post_load
    def _make(self, values: dict[str, Any], **_kwargs: Any) -> Notify:
        if not values["email"] and values["webhook"] is None:
            raise ValidationError("needs email, webhook or both")
        if (values["webhook"] is None) != (values["secret"] is None):
            raise ValidationError("a webhook and the secret that signs it are given together")
        name = None if values["webhook"] is None else _webhook_name(values)
        made = Notify(on=tuple(values["on"]), email=tuple(values["email"]), webhook=name, after=values["after"])
        if made.after is not None and not concerns_late(made):
            raise ValidationError({"after": ["has a meaning with late or * alone, and on names neither"]})
        return made


class MailSchema(Schema):
    """The mail server."""

    smtp = fields.String(required=True)
    sender = fields.String(required=True, data_key="from", validate=_address)
    user = fields.String(load_default="")
    password = fields.Raw(load_default=None)


def read_mail(given: Mapping[str, Any], reader: config.Reader) -> Mail | None:
    """Return the mail server of a section that MailSchema has loaded; problems are added to `reader.problems`."""
    reference = given["password"]
    password = "" if reference is None else reader.secret(reference, "diplomat.mail.password")
    if given["user"] and reference is None:
        reader.problems.append("diplomat.mail.password: a user needs one")
    try:
        return Mail.of_url(given["smtp"], sender=given["sender"], user=given["user"], password=password)
    except ValueError as error:
        reader.problems.append(f"diplomat.mail: {error}")
    return None


def webhooks_of(document: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the webhooks of a valid configuration by name, with their URLs and secrets as references."""
    return {
        _webhook_name(rule): {"url": rule["webhook"], "secret": rule["secret"]} for _, rule in _with_webhook(document)
    }


def read_webhooks(document: Mapping[str, Any], reader: config.Reader) -> dict[str, Webhook]:
    """Return the webhooks of the transactions of a document by name; problems are added to `reader.problems`."""
    found = {}
    for path, rule in _with_webhook(document):
        made = _webhook(rule["webhook"], rule["secret"], path, reader)
        if made is not None:
            found[_webhook_name(rule)] = made
    return found


def stored_webhooks(document: Mapping[str, Any], reader: config.Reader) -> dict[str, Webhook]:
    """Return the webhooks that `webhooks_of` gave and that were stored; problems are added to `reader.problems`."""
    found = {}
    for name, one in document.get(WEBHOOKS, {}).items():
        made = _webhook(one["url"], one["secret"], f"{WEBHOOKS}.{name}", reader)
        if made is not None:
            found[name] = made
    return found


def _webhook(url: Any, secret: Any, path: str, reader: config.Reader) -> Webhook | None:
    before = len(reader.problems)
    url = url if isinstance(url, str) else reader.secret(url, f"{path}.webhook")
    signs = reader.secret(secret, f"{path}.secret")
    if len(reader.problems) > before:
        return None
    try:
        return Webhook(url=url, secret=signs)
    except ValueError as error:
        reader.problems.append(f"{path}.webhook: {error}")
    return None


def _with_webhook(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield path and text of each rule that has a webhook and its secret; others are reported by their schema."""
    for place, transaction in enumerate(document.get("transactions") or []):
        rules = transaction.get("notify") if isinstance(transaction, Mapping) else None
        for number, rule in enumerate(rules if isinstance(rules, list) else []):
            if not isinstance(rule, Mapping) or rule.get("secret") is None:
                continue
            if isinstance(rule.get("webhook"), str | Mapping):
                yield f"transactions.{place}.notify.{number}", rule


def _webhook_name(rule: Mapping[str, Any]) -> str:
    """Return a name that an operator can read and that stays as long as URL and reference do; no token is in it."""
    url = rule["webhook"]
    if isinstance(url, str):
        try:
            shown = urlsplit(url).hostname or ""
        except ValueError:
            shown = ""
    else:
        shown = " ".join(str(value) for value in url.values())
    digest = hashlib.sha256(json.dumps([url, rule["secret"]], sort_keys=True, default=str).encode()).hexdigest()
    return f"{shown[:240]}#{digest[:12]}"
