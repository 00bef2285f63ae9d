"""Validate the body of `POST transfer` (1.J); every value is of its JSON type exactly, and `null` counts as absent."""

from collections.abc import Mapping
from typing import Any, Final

from marshmallow import ValidationError, fields, post_load, validate, validates_schema

from mft_common.transfer.steps.text import UnknownEncoding, decoder_of, encoder_of
from mqmft_svc.domain.submissions import Destination, ItemRequest, Source, Submission
from mqmft_svc.schemas import queues
from mqmft_svc.schemas.bodies import AgentSchema, JobSchema, load, user_properties
from mqmft_svc.schemas.calls import CallSchema
from mqmft_svc.schemas.fields import (
    MISSING,
    NO_OBJECT,
    Flag,
    Strict,
    Text,
    Whole,
    between,
    long,
    needed,
    nested,
    some,
)
from mqmft_svc.schemas.schedules import ScheduleSchema

_KINDS: Final = ("file", "directory", "queue", "dataset", "pds", "filespace")
_MOST_ITEMS: Final = 1000
_LONGEST_ENCODING: Final = 64
_NO_ENCODING: Final = "it names no text encoding."
_MOST_TRIES: Final = 1000
# Ten years: longer is for ever.
_LONGEST_RECOVERY_S: Final = 315_360_000
_TEXT_ALONE: Final = ("encoding", "end_of_line")
_CALLS: Final = {
    "pre_source_call": "preSourceCall",
    "pre_destination_call": "preDestinationCall",
    "post_destination_call": "postDestinationCall",
    "post_source_call": "postSourceCall",
}


def _reads(name: str) -> None:
    """Refuse what is no encoding; every item of the record has its name, which may hold any number of hyphens."""
    if len(name) > _LONGEST_ENCODING:
        raise ValidationError(_NO_ENCODING)
    try:
        decoder_of(name)
        encoder_of(name)
    except UnknownEncoding as error:
        raise ValidationError(_NO_ENCODING) from error


class _SideSchema(Strict):
    """The attributes that source and destination have in common (158-168)."""

    name = needed()
    type = Text(validate=some(*_KINDS))
    encoding = Text(validate=_reads)
    end_of_line = Text(data_key="endOfLine", validate=some("LF", "CRLF"))
    delimiter = Text(validate=long(256))
    delimiter_position = Text(data_key="delimiterPosition", validate=some("prefix", "postfix"))

    def _refuse(self, loaded: Mapping[str, Any], of: str, *names: str) -> None:
        """Refuse attributes that only a source or destination of another type has."""
        for name in names:
            if name in loaded:
                raise ValidationError(f"only a {of} has it.", self.fields[name].data_key or name)


class _SourceSchema(_SideSchema):
    recursive = Flag()
    disposition = Text(validate=some("leave", "delete"))
    message_wait_s = Whole(data_key="messageWaitTime", validate=between(0, 3600))
    use_groups = Flag(data_key="useGroups")

    @validates_schema
    def _check(self, loaded: Mapping[str, Any], **_kwargs: Any) -> None:
        if loaded.get("type", "file") == "queue":
            queues.check_source(loaded)
        else:
            self._refuse(loaded, "queue", "delimiter", "delimiter_position", "message_wait_s", "use_groups")


class _DestinationSchema(_SideSchema):
    if_exists = Text(data_key="actionIfExists", validate=some("error", "overwrite"))
    delimiter_type = Text(data_key="delimiterType", validate=some("binary", "size"))
    include_delimiter = Flag(data_key="includeDelimiterInMessage")
    set_mq_properties = Flag(data_key="setMqProperties")

    @validates_schema
    def _check(self, loaded: Mapping[str, Any], **_kwargs: Any) -> None:
        if loaded.get("type", "file") == "queue":
            queues.check_destination(loaded)
        else:
            names = ("delimiter_type", "delimiter", "delimiter_position", "include_delimiter", "set_mq_properties")
            self._refuse(loaded, "queue", *names)


class _ItemSchema(Strict):
    source = nested(_SourceSchema)
    destination = nested(_DestinationSchema)
    mode = Text(validate=some("binary", "text"))
    checksum = Text(validate=some("md5", "none"))

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


class _SetSchema(Strict):
    items = fields.List(
        fields.Nested(_ItemSchema, error_messages={"null": NO_OBJECT}),
        required=True,
        data_key="item",
        validate=validate.Length(min=1, max=_MOST_ITEMS, error=f"it must have 1 to {_MOST_ITEMS} elements."),
        error_messages={"required": MISSING, "invalid": "it must be an array."},
    )
    priority = Whole(validate=between(0, 9))
    recovery_timeout = Whole(data_key="recoveryTimeout", validate=between(-1, _LONGEST_RECOVERY_S))
    retry_count = Whole(data_key="retryCount", validate=between(0, _MOST_TRIES))
    user_properties = user_properties()
    pre_source_call = fields.Nested(CallSchema, data_key="preSourceCall")
    pre_destination_call = fields.Nested(CallSchema, data_key="preDestinationCall")
    post_destination_call = fields.Nested(CallSchema, data_key="postDestinationCall")
    post_source_call = fields.Nested(CallSchema, data_key="postSourceCall")


class _SubmissionSchema(Strict):
    source_agent = nested(AgentSchema, data_key="sourceAgent")
    destination_agent = nested(AgentSchema, data_key="destinationAgent")
    transfer_set = nested(_SetSchema, data_key="transferSet")
    job = fields.Nested(JobSchema)
    schedule = fields.Nested(ScheduleSchema, data_key="scheduleTransfer")

    @post_load
    def _made(self, loaded: dict[str, Any], **_kwargs: Any) -> Submission:
        values = loaded.pop("transfer_set")
        values["calls"] = {call: values.pop(name) for name, call in _CALLS.items() if name in values}
        job_name = loaded.pop("job", {}).get("name", "")
        return Submission(**loaded, **values | {"items": tuple(values["items"])}, job_name=job_name)


_SCHEMA: Final = _SubmissionSchema()


def submission(body: Mapping[str, Any]) -> Submission:
    """Return the transfer that a body asks for; BodyInvalid names the path of the attribute that is wrong (154)."""
    loaded: Submission = load(_SCHEMA, body)
    return loaded
