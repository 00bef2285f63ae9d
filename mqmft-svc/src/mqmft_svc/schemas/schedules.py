"""Validate `scheduleTransfer` (174-176); whether a time has passed is found out when the request is accepted."""

from collections.abc import Mapping
from typing import Any, Final

from marshmallow import ValidationError, post_load, validate, validates_schema

from mqmft_svc.domain.schedules import MOMENT, MOST, TIME_BASES, TIME_OF_DAY, UNITS, ScheduleRequest
from mqmft_svc.schemas.fields import MISSING, Strict, Text, Whole, between, some

_MOMENT: Final = "yyyy-MM-ddThh:mm"
# They say how often a transfer runs: none of them counts without an interval.
_REPEATING: Final = ("frequency", "count", "end")


def _is_start(text: str) -> None:
    if not (MOMENT.fullmatch(text) or TIME_OF_DAY.fullmatch(text)):
        raise ValidationError(f"it must be of the form {_MOMENT} or hh:mm.")


class ScheduleSchema(Strict):
    """The times of a transfer that is to run later, once or again and again."""

    start = Text(required=True, data_key="startTime", validate=_is_start, error_messages={"required": MISSING})
    time_base = Text(data_key="timeBase", validate=some(*TIME_BASES))
    interval = Text(data_key="occurrenceInterval", validate=some(*UNITS))
    frequency = Whole(data_key="occurrenceFrequency", validate=between(1, MOST))
    count = Whole(data_key="occurrenceCount", validate=between(1, MOST))
    end = Text(
        data_key="endTime",
        validate=validate.Regexp(MOMENT.pattern + r"\Z", error=f"it must be of the form {_MOMENT}."),
    )

    @validates_schema
    def _check(self, loaded: Mapping[str, Any], **_kwargs: Any) -> None:
        for name in _REPEATING:
            if name in loaded and "interval" not in loaded:
                raise ValidationError("it counts beside occurrenceInterval alone.", self.fields[name].data_key or name)

    @post_load
    def _made(self, loaded: dict[str, Any], **_kwargs: Any) -> ScheduleRequest:
        return ScheduleRequest(**loaded)
