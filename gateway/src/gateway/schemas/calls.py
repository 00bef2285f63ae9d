"""Schemas of the arguments of the internal API, one for each call."""

from marshmallow import Schema, fields, validate

from gateway.domain import GRANT_KEYS


def _service() -> fields.String:
    return fields.String(required=True, validate=validate.OneOf(tuple(GRANT_KEYS)))


def _text() -> fields.String:
    return fields.String(required=True)


def _seconds() -> fields.Float:
    return fields.Float(allow_none=True, validate=validate.Range(min=0))


def _whole(least: int) -> fields.Integer:
    return fields.Integer(strict=True, allow_none=True, validate=validate.Range(min=least))


class Verify(Schema):
    """Arguments of `verify`."""

    service = _service()
    name = _text()
    password = _text()
    address = _text()


class AccountName(Schema):
    """Arguments of `account`."""

    service = _service()
    name = _text()


class Prompts(Schema):
    """Arguments of `prompts`."""

    name = _text()
    address = _text()


class VerifyPrompts(Prompts):
    """Arguments of `verify_prompts`; each answer is a pair of its name, or null, and its text."""

    answers = fields.List(fields.Tuple((fields.String(allow_none=True), fields.String())), required=True)


class OpenSession(Schema):
    """Arguments of `open_session`; defaults are those of `Directory`."""

    service = _service()
    account = _text()
    label = fields.String()
    address = fields.String()
    token_form = fields.String(validate=validate.OneOf(("hex", "base64", "urlsafe")))
    token_bytes = fields.Integer(strict=True, validate=validate.Range(min=16, max=1024))
    idle = _seconds()
    absolute = _seconds()
    limit = _whole(0)
    account_limit = _whole(0)
    evict = fields.String(allow_none=True)
    replace_token = fields.String(allow_none=True)


class Token(Schema):
    """Arguments of `find_session` and `close_token`."""

    service = _service()
    token = _text()


class Service(Schema):
    """Arguments of `list_sessions`."""

    service = _service()


class PublicId(Service):
    """Arguments of `close_session`."""

    public_id = _text()
