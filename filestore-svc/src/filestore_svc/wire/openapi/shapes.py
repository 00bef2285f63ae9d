"""Hold the JSON schemas of the responses, and of each refusal with its exact text."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from filestore_svc import errors
from filestore_svc.domain.files import FIXED, MOST_FILESET

Shape = Mapping[str, Any]

TEXT: Final[Shape] = {"type": "string"}
TIME: Final[Shape] = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"}
FILESET: Final[Shape] = {"type": "integer", "minimum": 1, "maximum": MOST_FILESET}


def exactly(**members: Shape) -> dict[str, Any]:
    """Return the schema of an object that has these members and no others."""
    return {"type": "object", "properties": members, "required": list(members), "additionalProperties": False}


def success(message: str, *, timestamp: bool = True, fileset: bool = True) -> dict[str, Any]:
    """Return the schema of the envelope of a success (C3)."""
    when = {"timestamp": TIME} if timestamp else {}
    which = {"fileset": FILESET} if fileset else {}
    return exactly(result={"const": "ok"}, **when, message={"const": message}, **which)


METADATA: Final[Shape] = exactly(
    id=TEXT,
    uri=TEXT,
    metaUri=TEXT,
    filename=TEXT,
    fileset=FILESET,
    metadata={
        "type": "object",
        "properties": dict.fromkeys(FIXED, TEXT),
        "required": list(FIXED),
        "additionalProperties": TEXT,
    },
)
_ATTRIBUTES: Final[Shape] = {"type": "object", "additionalProperties": TEXT}
_FOLDER: Final[Shape] = exactly(
    id=TEXT, uri=TEXT, filename=TEXT, owner={"const": ""}, directory={"const": True}, attributes=_ATTRIBUTES
)
_FILE: Final[Shape] = exactly(
    id=TEXT,
    uri=TEXT,
    metaUri=TEXT,
    filename=TEXT,
    fileset=FILESET,
    owner=TEXT,
    directory={"const": False},
    attributes=_ATTRIBUTES,
)
LISTING: Final[Shape] = exactly(
    uri=TEXT,
    totalCount={"type": "string", "pattern": "^[0-9]+$"},
    files={"type": "array", "items": {"anyOf": [_FOLDER, _FILE]}},
)
COUNT: Final[Shape] = {"type": "integer", "minimum": 0}


@dataclass(frozen=True)
class Row:
    """A row of the table of refusals; `message` is its exact text, or the schema of one that echoes a name."""

    error: type[errors.RequestRejected]
    message: str | None = None
    pattern: str | None = None

    @property
    def text_schema(self) -> Shape:
        """The schema of its message."""
        if self.pattern is not None:
            return {"type": "string", "pattern": self.pattern}
        return {"const": self.error.text if self.message is None else self.message}


E_AUTH: Final = Row(errors.NotAuthenticated)
E_CONF: Final = Row(errors.NoContract)
E_NOFILE: Final = Row(errors.NoFilename)
E_NOSET: Final = Row(errors.NoFileset)
E_SYN: Final = Row(errors.BadSyntax)
E_DSYN: Final = Row(errors.BadDelete)
E_W: Final = Row(errors.NoRight, "No write permission")
E_R: Final = Row(errors.NoRight, "No read permission")
E_D: Final = Row(errors.NoRight, "No delete permission")
E_L: Final = Row(errors.NoRight, "No list permission")
NO_CREATE: Final = Row(errors.NoRight, "No create permission")
E_PATH: Final = Row(errors.NoPath, pattern=r"^Path '[\s\S]*' doesn't exist$")
E_FILE: Final = Row(errors.NoFile, pattern=r"^File '[\s\S]*' doesn't exist$")
E_ID: Final = Row(errors.NoSuch, pattern=r"^[\s\S]* doesn't exist$")
E_LPATH: Final = Row(errors.NoListedPath)
E_LOGIN: Final = Row(errors.NoCredentials)
ORIGIN: Final = Row(errors.ForeignOrigin)
REFUSED: Final = Row(errors.ContentRefused)
EXISTS: Final = Row(errors.AlreadyExists, pattern=r"^File '[\s\S]*' already exists$")
PRECONDITION: Final = Row(errors.PreconditionFailed)
TOO_LARGE: Final = Row(errors.TooLarge)
RANGE: Final = Row(errors.RangeNotSatisfiable)
THROTTLED: Final = Row(errors.Throttled)
AWAY: Final = Row(errors.TemporarilyUnavailable)
FULL: Final = Row(errors.NoSpace)
VERSION: Final = Row(errors.WrongVersion)
OFFSET: Final = Row(errors.WrongOffset)
TYPE: Final = Row(errors.WrongType)
CHECKSUM: Final = Row(errors.WrongChecksum)
NO_ROUTE: Final = Row(errors.NotFound)


def refusals(rows: Iterable[Row], *, timestamp: bool) -> dict[str, Any]:
    """Return the responses of refusals, by status (C1, C2)."""
    by_status: dict[int, list[Row]] = {}
    for row in rows:
        by_status.setdefault(row.error.status, []).append(row)
    return {str(status): _response(found, timestamp=timestamp) for status, found in sorted(by_status.items())}


def _response(rows: list[Row], *, timestamp: bool) -> dict[str, Any]:
    when = {"timestamp": TIME} if timestamp else {}
    shapes = [
        exactly(result={"const": "failed"}, **when, message=row.text_schema, errorType={"const": row.error.error_type})
        for row in rows
    ]
    schema = shapes[0] if len(shapes) == 1 else {"anyOf": shapes}
    texts = "; ".join(dict.fromkeys(row.message or row.error.text or "something does not exist" for row in rows))
    return {"description": texts, "content": {"application/json": {"schema": schema}}}
