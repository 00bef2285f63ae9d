"""Translate the values of events between JSON and Python; reading is strict."""

from collections.abc import Mapping
from typing import Any, ClassVar

from marshmallow import EXCLUDE, Schema, ValidationError, fields, post_dump, post_load, validate

from mft_common import clock
from mft_common.storable_text import storable

TRANSFER_ID = validate.Regexp(r"\A[0-9A-F]{48}\Z", error="Not 48 upper-case hex digits.")
NOT_NEGATIVE = validate.Range(min=0)


class Text(fields.String):
    """A text; writing makes it storable."""

    def _serialize(self, value: str | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        text = super()._serialize(value, attr, obj, **kwargs)
        return None if text is None else storable(text)


class Whole(fields.Integer):
    """A whole number of at least 0; neither `true`, nor `"1"`, nor `1.0` is one."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(strict=True, validate=NOT_NEGATIVE, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> int:
        if type(value) is not int:
            raise self.make_error("invalid", input=value)
        return super()._deserialize(value, attr, data, **kwargs)


class YesNo(fields.Field[bool]):
    """`true` or `false`, and no other value."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> bool:  # noqa: ARG002
        if not isinstance(value, bool):
            raise ValidationError("Not a boolean.")
        return value


class Moment(fields.Field[int]):
    """A time: milliseconds since the epoch in Python, ISO 8601 in UTC with milliseconds in JSON."""

    def _serialize(self, value: int | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:  # noqa: ARG002
        return None if value is None else clock.iso(value)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> int:  # noqa: ARG002
        if not isinstance(value, str) or not value.endswith("Z"):
            raise ValidationError("Not a time in UTC.")
        try:
            return clock.parse_iso(value)
        except ValueError as error:
            raise ValidationError("Not a time in UTC.") from error


class Row(fields.List[Any]):
    """A JSON array that is a tuple in Python."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        return tuple(super()._deserialize(value, attr, data, **kwargs))


class WireSchema(Schema):
    """The JSON of one shape: an absent member stands for None, and an unknown member is ignored.

    So a newer producer may add a member without a new version of the event.
    """

    shape: ClassVar[type | None] = None

    class Meta:
        """marshmallow's own settings."""

        unknown = EXCLUDE

    @post_dump
    def _omit_none(self, data: dict[str, Any], **_kwargs: Any) -> dict[str, Any]:
        return {name: value for name, value in data.items() if value is not None}

    @post_load
    def _build(self, data: dict[str, Any], **_kwargs: Any) -> Any:
        return data if self.shape is None else self.shape(**data)
