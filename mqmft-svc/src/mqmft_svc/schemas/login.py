"""Validate the body of a login (1.I)."""

from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, validate

from mqmft_svc.errors import BodyInvalid

_TEXT = validate.Length(min=1, max=1024, error="it must not be empty, nor longer than 1024 characters.")


class LoginSchema(Schema):
    """`{"username": ..., "password": ...}` and nothing else."""

    class Meta:
        """marshmallow's own settings."""

        unknown = RAISE

    username = fields.String(required=True, validate=_TEXT, error_messages={"invalid": "it must be a string."})
    password = fields.String(required=True, validate=_TEXT, error_messages={"invalid": "it must be a string."})


_SCHEMA = LoginSchema()


def login(body: dict[str, Any]) -> tuple[str, str]:
    """Return user name and password; BodyInvalid names the member that is wrong (143)."""
    try:
        loaded = _SCHEMA.load(body)
    except ValidationError as error:
        messages = error.messages_dict
        name = min(messages)
        raise BodyInvalid(name=name, reason=messages[name][0]) from error
    return loaded["username"], loaded["password"]
