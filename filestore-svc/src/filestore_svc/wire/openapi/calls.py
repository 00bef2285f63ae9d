"""Say what there is to tell of a call, and which refusals many calls share."""

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
    """A header field: what it says, and the schema of its text."""

    description: str
    schema: Shape = field(default_factory=lambda: shapes.TEXT)
    required: bool = False


@dataclass(frozen=True, kw_only=True)
class Call:
    """One operation. `takes` is the type and schema of its body, `gives` the schema of its success; None for none.

    `headers` are those that a client may send, `tells` those of a success, `also` is another status of a success.
    """

    path: str
    method: str
    name: str
    summary: str
    rows: tuple[Row, ...]
    status: int = 200
    also: int | None = None
    takes: tuple[str, Shape] | None = None
    gives: Shape | None = None
    gives_bytes: bool = False
    headers: Mapping[str, Field] = field(default_factory=dict)
    tells: Mapping[str, Field] = field(default_factory=dict)
    query: tuple[str, ...] = ()
    session: bool = True
    timestamp: bool = True

    def successes(self) -> dict[str, Any]:
        """Return the answers that are no refusals, by status."""
        answer: dict[str, Any] = {"description": "done"}
        if self.gives_bytes:
            answer = {"description": "the bytes", "content": {"*/*": {}}}
        elif self.gives is not None:
            answer["content"] = {"application/json": {"schema": self.gives}}
        if self.tells:
            answer["headers"] = {name: _told(each) for name, each in self.tells.items()}
        answers = {str(self.status): answer}
        if self.also is not None:
            answers[str(self.also)] = answer
        if self.gives_bytes:
            answers |= {"206": answer, "304": {"description": "the client has it already"}}
        return answers


def _told(each: Field) -> dict[str, Any]:
    return {"description": each.description, "schema": each.schema, "required": each.required}
