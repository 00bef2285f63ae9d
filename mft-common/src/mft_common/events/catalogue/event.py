"""Define events: a type, a subject, and a schema that producers and consumers share."""

import functools
import json
from collections.abc import Mapping
from typing import Any, ClassVar, Final, Self

from marshmallow import ValidationError

from mft_common.events.catalogue.fields import WireSchema
from mft_common.events.catalogue.reading import NotPlain, reader
from mft_common.events.catalogue.writing import writer
from mft_common.events.errors import EventError

_KEPT: Final = 1024


class Event:
    """A fact in the past tense. Subclasses are frozen dataclasses; None stands for "not known"."""

    TYPE: ClassVar[str]
    SCHEMA: ClassVar[WireSchema]

    def subject(self) -> str:
        """Return the thing that the event reports on, such as a path or a transfer's id."""
        raise TypeError(f"{type(self).__name__} names no subject")

    def to_json(self) -> str:
        """Return the event as JSON text; EventError where a consumer could not read it."""
        try:
            return writer(self.SCHEMA)(self)
        except ValidationError as error:
            raise EventError(f"{self.TYPE}: {error.messages}") from error

    def to_data(self) -> dict[str, Any]:
        """Return the event as JSON values; EventError where a consumer could not read it."""
        data: dict[str, Any] = json.loads(self.to_json())
        return data

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """Build the event from JSON values; EventError names what is missing or wrong."""
        try:
            return cls(**reader(cls.SCHEMA)(data))
        except NotPlain:
            pass
        try:
            return cls(**cls.SCHEMA.load(data))
        except ValidationError as error:
            raise EventError(f"{cls.TYPE}: {error.messages}") from error


class CompositeEvent(Event):
    """Several events of one moment in one row of an outbox, which costs a third of three rows.

    The row is expanded where it is read or relayed: consumers and brokers only see its parts.
    """

    PARTS: ClassVar[tuple[type[Event], ...]]

    @classmethod
    @functools.lru_cache(_KEPT)
    def read(cls, text: str) -> Self:
        """Build the composite from the JSON text of a row; EventError where that cannot be done.

        Cached, because the consumers of one process read the same rows soon after one another.
        """
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise EventError(f"not JSON: {error}") from error
        if not isinstance(data, dict):
            raise EventError("data is no JSON object")
        return cls.from_data(data)

    def part(self, number: int) -> Event:
        """Return the event of the class PARTS[number]; most consumers need only one of them."""
        raise TypeError(f"{type(self).__name__} has no part {number}")
