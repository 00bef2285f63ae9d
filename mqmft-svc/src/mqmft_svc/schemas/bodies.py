"""Load the bodies of requests, and validate the parts that several of them have (154)."""

from collections.abc import Mapping
from typing import Any, Final

from marshmallow import Schema, ValidationError, fields, post_load, validate

from mqmft_svc.domain.submissions import AgentRequest
from mqmft_svc.errors import BodyInvalid
from mqmft_svc.schemas.fields import NO_OBJECT, Strict, Text, long, needed

_RESERVED: Final = ("com.ibm.wmqfte.", "crossdock.")


class AgentSchema(Strict):
    """An agent as a request names it (155)."""

    name = needed()
    qmgr = needed(data_key="qmgrName")

    @post_load
    def _made(self, loaded: dict[str, Any], **_kwargs: Any) -> AgentRequest:
        return AgentRequest(name=loaded["name"].upper(), qmgr=loaded["qmgr"].upper())


class JobSchema(Strict):
    """The job of a request (156)."""

    name = Text(validate=validate.Length(max=256, error="it must have 256 characters at most."))


def _check_properties(properties: Mapping[str, str]) -> None:
    for name in properties:
        if name.lower().startswith(_RESERVED):
            raise ValidationError(f"names that begin with {' or '.join(_RESERVED)} are the system's.")


def user_properties() -> fields.Dict:
    """Return the field of the caller's own properties (172)."""
    return fields.Dict(
        keys=Text(validate=long(256)),
        values=Text(),
        data_key="userProperties",
        validate=_check_properties,
        error_messages={"invalid": NO_OBJECT},
    )


def load(schema: Schema, body: Mapping[str, Any]) -> Any:
    """Return what a schema makes of a body; BodyInvalid names the path of the attribute that is wrong."""
    try:
        return schema.load(without_nulls(body))
    except ValidationError as error:
        name, reason = _first(error.messages_dict)
        raise BodyInvalid(name=name, reason=reason) from error


def without_nulls(value: Any) -> Any:
    """Leave out the attributes that are null; an element of an array is no attribute."""
    if isinstance(value, dict):
        return {name: without_nulls(one) for name, one in value.items() if one is not None}
    return [without_nulls(one) for one in value] if isinstance(value, list) else value


def _first(messages: Mapping[Any, Any]) -> tuple[str, str]:
    """Return path and reason of the first problem, such as `transferSet.item[0].source.name`."""
    path, found = "", messages
    while isinstance(found, dict):
        name, found = next(iter(found.items()))
        if isinstance(name, int):
            path += f"[{name}]"
        elif name not in ("_schema", "key", "value"):
            path += f".{name}" if path else str(name)
    return path, str(found[0])
