"""Check what a request says about queues: their names, and how files are split into messages and joined (158-168)."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from marshmallow import ValidationError

from mqmft_svc.domain.queues import MOST_NAME, delimiter_bytes, piece_size, queue_of
from mqmft_svc.schemas.fields import MISSING

_INCLUDE: Final = "includeDelimiterInMessage"


def check_source(values: Mapping[str, Any]) -> None:
    """Refuse what no source queue can have; ValidationError names the attribute."""
    _check_name(values)
    if "delimiter" in values:
        _check("delimiter", delimiter_bytes, values["delimiter"])
    elif "delimiter_position" in values:
        raise ValidationError("it is that of a delimiter, and there is none.", "delimiterPosition")


def check_destination(values: Mapping[str, Any]) -> None:
    """Refuse what no destination queue can have; ValidationError names the attribute."""
    _check_name(values)
    kind = values.get("delimiter_type", "")
    if kind and "delimiter" not in values:
        raise ValidationError(MISSING, "delimiter")
    if "delimiter" in values:
        if not kind:
            raise ValidationError(MISSING, "delimiterType")
        _check("delimiter", piece_size if kind == "size" else delimiter_bytes, values["delimiter"])
    if kind != "binary":
        for name, key in (("delimiter_position", "delimiterPosition"), ("include_delimiter", _INCLUDE)):
            if values.get(name):
                raise ValidationError("only a binary delimiter has it.", key)


def _check_name(values: Mapping[str, Any]) -> None:
    queue = queue_of(values.get("name", ""))
    if "name" in values and not 1 <= len(queue.encode("utf-8", "surrogateescape")) <= MOST_NAME:
        raise ValidationError(f"the name of a queue has 1 to {MOST_NAME} bytes.", "name")


def _check(key: str, read: Callable[[str], object], text: str) -> None:
    try:
        read(text)
    except ValueError as error:
        raise ValidationError(str(error), key) from error
