"""Describe one call, and the refusals that many calls share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from filestore_svc.wire.openapi import shapes
from filestore_svc.wire.openapi.shapes import Row, Shape

SESSION: Final = (shapes.E_AUTH, shapes.E_CONF)
WRITER: Final = (*SESSION, shapes.ORIGIN)

BYTES: Final[Shape] = {"type": "string", "format": "binary"}


@dataclass(frozen=True)
class Field:
    """A header field: its description, and the schema of its text."""

    description: str
    schema: Shape = field(default_factory=lambda: shapes.TEXT)
    required: bool = False


@dataclass(frozen=True, kw_only=True)
class Call:
    """One operation. `body` is the type and schema of its request body, `result` the schema of its response.

    `headers` are those of a request, `returns` those of a success; `also` is a second status of a success.
    """

    path: str
    method: str
    name: str
    summary: str
    rows: tuple[Row, ...]
    status: int = 200
    also: int | None = None
    body: tuple[str, Shape] | None = None
    result: Shape | None = None
    returns_file: bool = False
    headers: Mapping[str, Field] = field(default_factory=dict)
    returns: Mapping[str, Field] = field(default_factory=dict)
    query: tuple[str, ...] = ()
    session: bool = True
    timestamp: bool = True

    def successes(self) -> dict[str, Any]:
        """Return the responses of success, by status."""
        response: dict[str, Any] = {"description": "done"}
        if self.returns_file:
            response = {"description": "the bytes", "content": {"*/*": {}}}
        elif self.result is not None:
            response["content"] = {"application/json": {"schema": self.result}}
        if self.returns:
            response["headers"] = {name: _header(each) for name, each in self.returns.items()}
        responses = {str(self.status): response}
        if self.also is not None:
            responses[str(self.also)] = response
        if self.returns_file:
            responses |= {"206": response, "304": {"description": "the client has it already"}}
        return responses


def _header(each: Field) -> dict[str, Any]:
    return {"description": each.description, "schema": each.schema, "required": each.required}
