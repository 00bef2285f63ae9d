"""Read events by functions that are composed once from their schemas, in a quarter of the schemas' time.

A value that a function does not accept is left to the schema, which names the fault or accepts the value; tests
compare both.
"""

import functools
from collections.abc import Callable
from typing import Any, Final

from marshmallow import ValidationError, fields

from mft_common import clock
from mft_common.events.catalogue.fields import Moment, Row, Text, Whole, WireSchema, YesNo

Read = Callable[[Any], Any]
Check = Callable[[Any], Any]

_KEPT: Final = 4096


class NotPlain(Exception):  # noqa: N818 -- not an error: the schema decides
    """The value must be read by the schema."""


def _text(value: Any) -> str:
    if type(value) is not str:
        raise NotPlain
    return value


def _whole(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise NotPlain
    return value


def _yes_no(value: Any) -> bool:
    if type(value) is not bool:
        raise NotPlain
    return value


@functools.lru_cache(_KEPT)
def _time(value: str) -> int:
    if not value.endswith("Z"):
        raise NotPlain
    try:
        return clock.parse_iso(value)
    except ValueError as error:
        raise NotPlain from error


def _moment(value: Any) -> int:
    return _time(_text(value))


def _dict(value: Any) -> dict[str, str]:
    if type(value) is not dict:
        raise NotPlain
    for each in value.values():
        if type(each) is not str:
            raise NotPlain
    return value


def _row(inner: Read) -> Read:
    def read(value: Any) -> tuple[Any, ...]:
        if type(value) is not list:
            raise NotPlain
        return tuple([inner(each) for each in value])

    return read


def _checked(read: Read, checks: tuple[Check, ...]) -> Read:
    def checked(value: Any) -> Any:
        made = read(value)
        try:
            for check in checks:
                check(made)
        except ValidationError as error:
            raise NotPlain from error
        return made

    return checked


def _checked_text(checks: tuple[Check, ...]) -> Read:
    """Return a cached reader of texts that have checks; most of them are a few words."""
    known = functools.lru_cache(_KEPT)(_checked(_text, checks))
    # A value that is no text may not be hashable, so it must not reach the cache.
    return lambda value: known(_text(value))


_PLAIN: dict[type[fields.Field[Any]], Read] = {Text: _text, Whole: _whole, YesNo: _yes_no, Moment: _moment}


def _of(field: fields.Field[Any]) -> Read:
    if type(field) in _PLAIN:
        read = _PLAIN[type(field)]
    elif isinstance(field, Row):
        read = _row(_of(field.inner))
    elif isinstance(field, fields.Nested) and isinstance(field.schema, WireSchema):
        read = reader(field.schema)
    elif type(field) is fields.Dict and isinstance(field.key_field, Text) and isinstance(field.value_field, Text):
        read = _dict
    else:
        raise TypeError(f"no reader for a {type(field).__name__} of an event")
    # `_whole` makes the one check of Whole itself.
    checks = () if isinstance(field, Whole) else tuple(field.validators)
    if not checks:
        return read
    return _checked_text(checks) if read is _text else _checked(read, checks)


@functools.cache
def reader(schema: WireSchema) -> Read:
    """Return a function that reads JSON values as the schema's `load` does, or raises NotPlain."""
    members = tuple((name, field.required, _of(field)) for name, field in schema.load_fields.items())
    shape = schema.shape

    def read(value: Any) -> Any:
        if type(value) is not dict:
            raise NotPlain
        made: dict[str, Any] = {}
        for name, required, member in members:
            if name in value:
                made[name] = member(value[name])
            elif required:
                raise NotPlain
        return made if shape is None else shape(**made)

    return read
