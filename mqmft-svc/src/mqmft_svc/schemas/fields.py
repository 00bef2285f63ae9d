"""Fields of the bodies of requests: each takes one JSON type exactly, and its errors are sentences (154, 177)."""

from collections.abc import Mapping
from typing import Any, Final

from marshmallow import RAISE, Schema, ValidationError, fields, validate

NO_OBJECT: Final = "it must be an object."
MISSING: Final = "it is missing."
_UNKNOWN: Final = "there is no such attribute."
_LONGEST: Final = 4096
LATER: Final = "this version of the hub does not serve it yet."


class Text(fields.Field[str]):
    """A string without NUL, which no name of a file, queue or agent may hold."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:  # noqa: ARG002
        if not isinstance(value, str):
            raise ValidationError("it must be a string.")
        if "\0" in value:
            raise ValidationError("it must not hold NUL.")
        return value


class Whole(fields.Field[int]):
    """A whole number; neither `true`, nor `"1"`, nor `1.0` is one (177)."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> int:  # noqa: ARG002
        if type(value) is not int:
            raise ValidationError("it must be a whole number.")
        return value


class Flag(fields.Field[bool]):
    """`true` or `false`."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> bool:  # noqa: ARG002
        if not isinstance(value, bool):
            raise ValidationError("it must be true or false.")
        return value


class NotServed(fields.Field[None]):
    """An attribute of the protocol that is refused."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> None:  # noqa: ARG002
        raise ValidationError(LATER)


class Strict(Schema):
    """A JSON object without attributes that are not declared."""

    error_messages = {"unknown": _UNKNOWN, "type": NO_OBJECT}  # noqa: RUF012 -- marshmallow's own

    class Meta:
        """marshmallow's own settings."""

        unknown = RAISE


def some(*values: str) -> Any:
    """Return the check that a text is one of a few."""
    return validate.OneOf(values, error=f"it must be one of {', '.join(values)}.")


def long(most: int = _LONGEST) -> Any:
    """Return the check that a text is not empty, and not too long."""
    return validate.Length(min=1, max=most, error=f"it must have 1 to {most} characters.")


def between(least: int, most: int) -> Any:
    """Return the check that a number lies in a range."""
    return validate.Range(min=least, max=most, error=f"it must be between {least} and {most}.")


def nested(schema: type[Schema], **options: Any) -> fields.Nested:
    """Return the field of an object that must be there."""
    return fields.Nested(schema, required=True, error_messages={"required": MISSING}, **options)


def texts(**options: Any) -> fields.Dict:
    """Return the field of an object of texts."""
    return fields.Dict(keys=Text(validate=long(256)), values=Text(), error_messages={"invalid": NO_OBJECT}, **options)


def needed(**options: Any) -> Text:
    """Return the field of a text that must be there."""
    return Text(required=True, error_messages={"required": MISSING}, validate=long(), **options)
