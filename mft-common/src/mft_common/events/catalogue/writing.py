"""Write events as JSON text by functions composed once from their schemas, in a twentieth of the schemas' time.

A producer writes events inside its database transaction. Every check of the schema is made here too, so that consumers
can read the result; tests compare both. Values of another type than the schema's are refused, not converted.
"""

import functools
import operator
from collections.abc import Callable, Mapping, Sequence
from json.encoder import encode_basestring
from typing import Any, Final

from marshmallow import ValidationError, fields

from mft_common import clock
from mft_common.events.catalogue.fields import Moment, Row, Text, Whole, WireSchema, YesNo
from mft_common.storable_text import storable

Write = Callable[[Any], str]
Check = Callable[[Any], Any]

_KEPT: Final = 4096


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValidationError("Not a text.")
    return encode_basestring(storable(value))


def _checked_text(checks: Sequence[Check]) -> Write:
    """Return a cached writer of texts that have checks; most of them are a few words."""

    @functools.lru_cache(_KEPT)
    def written(value: str) -> str:
        text = storable(value)
        for check in checks:
            check(text)
        return encode_basestring(text)

    def write(value: Any) -> str:
        if not isinstance(value, str):
            raise ValidationError("Not a text.")
        return written(value)

    return write


def _whole(value: Any) -> str:
    if type(value) is not int or value < 0:
        raise ValidationError("Not a whole number of at least 0.")
    return str(value)


def _yes_no(value: Any) -> str:
    if not isinstance(value, bool):
        raise ValidationError("Not a boolean.")
    return "true" if value else "false"


@functools.lru_cache(_KEPT)
def _time(value: int) -> str:
    return f'"{clock.iso(value)}"'


def _moment(value: Any) -> str:
    if type(value) is not int:
        raise ValidationError("Not a time in milliseconds.")
    if not clock.FIRST_MS <= value <= clock.LAST_MS:
        raise ValidationError("Not a time that can be read.")
    return _time(value)


def _row(inner: Write, checks: Sequence[Check]) -> Write:
    def write(value: Any) -> str:
        if not isinstance(value, tuple | list):
            raise ValidationError("Not a list.")
        for check in checks:
            check(value)
        return f"[{','.join([inner(each) for each in value])}]"

    return write


def _dict(value: Any) -> str:
    if not isinstance(value, Mapping):
        raise ValidationError("Not a mapping.")
    # Two names may become the same storable name.
    members = {_text(name): _text(each) for name, each in value.items()}
    return f"{{{','.join([f'{name}:{each}' for name, each in members.items()])}}}"


def _nested(schema: WireSchema) -> Write:
    inner, shape = writer(schema), schema.shape
    if all(isinstance(field, Text) for field in schema.dump_fields.values()):
        # Agents and originators are few, and part of every event of a transfer.
        inner = functools.lru_cache(_KEPT)(inner)

    def write(value: Any) -> str:
        if shape is None or not isinstance(value, shape):
            raise ValidationError("Not of this shape.")
        return inner(value)

    return write


_PLAIN: dict[type[fields.Field[Any]], Write] = {Whole: _whole, YesNo: _yes_no, Moment: _moment}


def _of(field: fields.Field[Any]) -> Write:
    """Return a function that checks and writes a value of `field`."""
    # `_whole` makes the one check of Whole itself.
    checks = () if isinstance(field, Whole) else tuple(field.validators)
    if isinstance(field, Row):
        return _row(_of(field.inner), checks)
    if type(field) is Text:
        return _checked_text(checks) if checks else _text
    if not checks:
        if type(field) in _PLAIN:
            return _PLAIN[type(field)]
        if isinstance(field, fields.Nested) and isinstance(field.schema, WireSchema):
            return _nested(field.schema)
        if type(field) is fields.Dict and isinstance(field.key_field, Text) and isinstance(field.value_field, Text):
            return _dict
    raise TypeError(f"no writer for a {type(field).__name__} of an event")


@functools.cache
def writer(schema: WireSchema) -> Write:
    """Return a function that writes an object as the JSON text that the schema dumps; None is omitted.

    It raises ValidationError, with the messages by the members' names, where the schema's `load` would refuse the
    result.
    """
    members = tuple(
        (name, f"{encode_basestring(name)}:", field.required, _of(field)) for name, field in schema.dump_fields.items()
    )
    contents = operator.attrgetter(*schema.dump_fields)
    get = contents if len(members) > 1 else lambda value: (contents(value),)

    def write(value: Any) -> str:
        written: list[str] = []
        for (name, label, required, member), content in zip(members, get(value), strict=True):
            if content is not None:
                try:
                    written.append(label + member(content))
                except ValidationError as error:
                    raise ValidationError({name: error.messages}) from error
            elif required:
                raise ValidationError({name: ["Missing."]})
        return f"{{{','.join(written)}}}"

    return write
