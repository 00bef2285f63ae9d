"""Validate the body of `POST transfer` (1.J); every value is of its JSON type exactly, and `null` counts as absent."""

from collections.abc import Mapping
from typing import Any, Final

from marshmallow import RAISE, Schema, ValidationError, fields, post_load, validate, validates_schema

from mft_common.transfer.steps.text import UnknownEncoding, decoder_of, encoder_of
from mqmft_svc.domain.submissions import AgentRequest, Destination, ItemRequest, Source, Submission
from mqmft_svc.errors import BodyInvalid

_OBJECT: Final = "it must be an object."
_MISSING: Final = "it is missing."
_UNKNOWN: Final = "there is no such attribute."
_KINDS: Final = ("file", "directory", "queue", "dataset", "pds", "filespace")
_RESERVED: Final = ("com.ibm.wmqfte.", "crossdock.")
_MOST_ITEMS: Final = 1000
_LONGEST: Final = 4096
_LONGEST_ENCODING: Final = 64
_NO_ENCODING: Final = "it names no text encoding."
_MOST_TRIES: Final = 1000
# Ten years: longer is for ever.
_LONGEST_RECOVERY_S: Final = 315_360_000
_TEXT_ALONE: Final = ("encoding", "end_of_line")
_LATER: Final = "this version of the hub does not serve it yet."


class _Text(fields.Field[str]):
    """A string without NUL, which no name of a file, queue or agent may hold."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:  # noqa: ARG002
        if not isinstance(value, str):
            raise ValidationError("it must be a string.")
        if "\0" in value:
            raise ValidationError("it must not hold NUL.")
        return value


class _Whole(fields.Field[int]):
    """A whole number; neither `true`, nor `"1"`, nor `1.0` is one (177)."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> int:  # noqa: ARG002
        if type(value) is not int:
            raise ValidationError("it must be a whole number.")
        return value


class _Flag(fields.Field[bool]):
    """`true` or `false`."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> bool:  # noqa: ARG002
        if not isinstance(value, bool):
            raise ValidationError("it must be true or false.")
        return value


class _NotServed(fields.Field[None]):
    """An attribute of the protocol that is refused."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> None:  # noqa: ARG002
        raise ValidationError(_LATER)


def _some(*values: str) -> Any:
    return validate.OneOf(values, error=f"it must be one of {', '.join(values)}.")


def _long(most: int = _LONGEST) -> Any:
    return validate.Length(min=1, max=most, error=f"it must have 1 to {most} characters.")


def _between(least: int, most: int) -> Any:
    return validate.Range(min=least, max=most, error=f"it must be between {least} and {most}.")


def _reads(name: str) -> None:
    """Refuse what is no encoding; every item of the record has its name, which may hold any number of hyphens."""
    if len(name) > _LONGEST_ENCODING:
        raise ValidationError(_NO_ENCODING)
    try:
        decoder_of(name)
        encoder_of(name)
    except UnknownEncoding as error:
        raise ValidationError(_NO_ENCODING) from error


class _Strict(Schema):
    error_messages = {"unknown": _UNKNOWN, "type": _OBJECT}  # noqa: RUF012 -- marshmallow's own

    class Meta:
        """marshmallow's own settings."""

        unknown = RAISE


def _nested(schema: type[Schema]) -> fields.Nested:
    return fields.Nested(schema, required=True, error_messages={"required": _MISSING})


def _needed(**options: Any) -> _Text:
    return _Text(required=True, error_messages={"required": _MISSING}, validate=_long(), **options)


class _AgentSchema(_Strict):
    name = _needed()
    qmgr = _needed(data_key="qmgrName")

    @post_load
    def _made(self, loaded: dict[str, Any], **_kwargs: Any) -> AgentRequest:
        return AgentRequest(name=loaded["name"].upper(), qmgr=loaded["qmgr"].upper())


class _SideSchema(_Strict):
    """What source and destination have in common (158-168)."""

    name = _needed()
    type = _Text(validate=_some(*_KINDS))
    encoding = _Text(validate=_reads)
    end_of_line = _Text(data_key="endOfLine", validate=_some("LF", "CRLF"))
    delimiter = _Text(validate=_long(256))
    delimiter_position = _Text(data_key="delimiterPosition", validate=_some("prefix", "postfix"))

    def _refuse(self, loaded: Mapping[str, Any], of: str, *names: str) -> None:
        """Refuse attributes that only a source or destination of another type has."""
        for name in names:
            if name in loaded:
                raise ValidationError(f"only a {of} has it.", self.fields[name].data_key or name)


class _SourceSchema(_SideSchema):
    recursive = _Flag()
    disposition = _Text(validate=_some("leave", "delete"))
    message_wait_s = _Whole(data_key="messageWaitTime", validate=_between(0, 3600))
    use_groups = _Flag(data_key="useGroups")

    @validates_schema
    def _check(self, loaded: Mapping[str, Any], **_kwargs: Any) -> None:
        if loaded.get("type", "file") != "queue":
            self._refuse(loaded, "queue", "delimiter", "delimiter_position", "message_wait_s", "use_groups")


class _DestinationSchema(_SideSchema):
    if_exists = _Text(data_key="actionIfExists", validate=_some("error", "overwrite"))
    delimiter_type = _Text(data_key="delimiterType", validate=_some("binary", "size"))
    include_delimiter = _Flag(data_key="includeDelimiterInMessage")
    set_mq_properties = _Flag(data_key="setMqProperties")

    @validates_schema
    def _check(self, loaded: Mapping[str, Any], **_kwargs: Any) -> None:
        if loaded.get("type", "file") != "queue":
            names = ("delimiter_type", "delimiter", "delimiter_position", "include_delimiter", "set_mq_properties")
            self._refuse(loaded, "queue", *names)


class _ItemSchema(_Strict):
    source = _nested(_SourceSchema)
    destination = _nested(_DestinationSchema)
    mode = _Text(validate=_some("binary", "text"))
    checksum = _Text(validate=_some("md5", "none"))

    @validates_schema
    def _check(self, loaded: Mapping[str, Any], **_kwargs: Any) -> None:
        if loaded.get("mode", "binary") == "text":
            return
        for side in ("source", "destination"):
            for name in _TEXT_ALONE:
                if name in loaded.get(side, {}):
                    shown = _SideSchema().fields[name].data_key or name
                    raise ValidationError({side: {shown: ["it counts in text mode alone."]}})

    @post_load
    def _made(self, loaded: dict[str, Any], **_kwargs: Any) -> ItemRequest:
        source, destination = Source(**loaded.pop("source")), Destination(**loaded.pop("destination"))
        return ItemRequest(source=source, destination=destination, **loaded)


def _check_properties(properties: Mapping[str, str]) -> None:
    for name in properties:
        if name.lower().startswith(_RESERVED):
            raise ValidationError(f"names that begin with {' or '.join(_RESERVED)} are the system's.")


class _SetSchema(_Strict):
    items = fields.List(
        fields.Nested(_ItemSchema, error_messages={"null": _OBJECT}),
        required=True,
        data_key="item",
        validate=validate.Length(min=1, max=_MOST_ITEMS, error=f"it must have 1 to {_MOST_ITEMS} elements."),
        error_messages={"required": _MISSING, "invalid": "it must be an array."},
    )
    priority = _Whole(validate=_between(0, 9))
    recovery_timeout = _Whole(data_key="recoveryTimeout", validate=_between(-1, _LONGEST_RECOVERY_S))
    retry_count = _Whole(data_key="retryCount", validate=_between(0, _MOST_TRIES))
    user_properties = fields.Dict(
        keys=_Text(validate=_long(256)),
        values=_Text(),
        data_key="userProperties",
        validate=_check_properties,
        error_messages={"invalid": _OBJECT},
    )
    pre_source_call = _NotServed(data_key="preSourceCall")
    post_source_call = _NotServed(data_key="postSourceCall")
    pre_destination_call = _NotServed(data_key="preDestinationCall")
    post_destination_call = _NotServed(data_key="postDestinationCall")


class _JobSchema(_Strict):
    name = _Text(validate=validate.Length(max=256, error="it must have 256 characters at most."))


class _SubmissionSchema(_Strict):
    source_agent = fields.Nested(
        _AgentSchema, required=True, data_key="sourceAgent", error_messages={"required": _MISSING}
    )
    destination_agent = fields.Nested(
        _AgentSchema, required=True, data_key="destinationAgent", error_messages={"required": _MISSING}
    )
    transfer_set = fields.Nested(
        _SetSchema, required=True, data_key="transferSet", error_messages={"required": _MISSING}
    )
    job = fields.Nested(_JobSchema)
    schedule = _NotServed(data_key="scheduleTransfer")

    @post_load
    def _made(self, loaded: dict[str, Any], **_kwargs: Any) -> Submission:
        values = loaded.pop("transfer_set")
        job_name = loaded.pop("job", {}).get("name", "")
        return Submission(**loaded, **values | {"items": tuple(values["items"])}, job_name=job_name)


_SCHEMA: Final = _SubmissionSchema()


def submission(body: Mapping[str, Any]) -> Submission:
    """Return the transfer that a body asks for; BodyInvalid names the path of the attribute that is wrong (154)."""
    try:
        loaded: Submission = _SCHEMA.load(_without_nulls(body))
    except ValidationError as error:
        name, reason = _first(error.messages_dict)
        raise BodyInvalid(name=name, reason=reason) from error
    return loaded


def _without_nulls(value: Any) -> Any:
    """Leave out the attributes that are null; an element of an array is no attribute."""
    if isinstance(value, dict):
        return {name: _without_nulls(one) for name, one in value.items() if one is not None}
    return [_without_nulls(one) for one in value] if isinstance(value, list) else value


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
