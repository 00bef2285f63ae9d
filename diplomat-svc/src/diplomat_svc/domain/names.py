"""Expand variables, name destinations, and keep what clients send from forging a line of a log."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from diplomat_svc.domain.transactions import Transaction

_VARIABLE: Final = re.compile(r"<%(.+?)%>", re.DOTALL)
_DOTS: Final = (".", "..")


def controls(text: str) -> bool:
    """True when `text` holds a control character."""
    return any(unicodedata.category(character) == "Cc" for character in text)


def expand(text: str, values: Mapping[str, str]) -> str:
    """Replace each `<%name%>` that has a value, in one pass: a value is never expanded again (A29)."""
    return _VARIABLE.sub(lambda match: values.get(match[1], match[0]), text)


@dataclass(frozen=True)
class Expanded:
    """A definition whose fields have their values; `missing` names the variables that have none (A28)."""

    transaction: Transaction
    missing: tuple[str, ...]


def expand_transaction(transaction: Transaction, given: Mapping[str, str]) -> Expanded:
    """Fill in the defaults and then what this run was given."""
    values = {**transaction.variables, **given}
    source, destination = transaction.source, transaction.destination
    texts = [*source.files, *source.required, *([destination.files] if destination.files else [])]
    missing = dict.fromkeys(name for text in texts for name in _VARIABLE.findall(text) if name not in values)
    files = tuple(expand(text, values) for text in source.files)
    required = tuple(expand(text, values) for text in source.required)
    target = None if destination.files is None else expand(destination.files, values)
    changed = replace(
        transaction,
        source=replace(source, files=files, required=required),
        destination=replace(destination, files=target),
    )
    return Expanded(changed, tuple(missing))


def unfit_value(transaction: Transaction, given: Mapping[str, str]) -> str | None:
    """Return the name of a variable whose value may not become part of a file's name, None when all may (A31)."""
    for name, value in given.items():
        if "/" in value or "\\" in value or controls(value):
            return name
    fields = expand_transaction(transaction, given).transaction
    if _dotted((*fields.source.files, *fields.source.required, fields.destination.files or "")):
        return next(iter(given), "")
    return None


def _dotted(names: Sequence[str]) -> bool:
    return any(name in _DOTS for name in names)


def destination_name(template: str | None, source: str) -> str:
    """Return what a file is called at the destination; each `*` of the template stands for the source's whole name."""
    return source if template is None else template.replace("*", source)


def printable(text: str) -> str:
    """Return `text` as one line of a log may hold it: controls as escapes, what is no character as U+FFFD (A60)."""
    return "".join(_safe(character) for character in text)


def _safe(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cs":
        return "\ufffd"
    if category in ("Cc", "Zl", "Zp"):
        return character.encode("unicode_escape").decode("ascii")
    return character


def pack_label(domain: str, user_id: str) -> str:
    """Return the label of a client, `domain/userID` or `userID` (23), from which the two can be had back.

    A slash within one of them is escaped, so that the first one left is ours.
    """
    escaped = [part.replace("%", "%25").replace("/", "%2F") for part in (domain, user_id)]
    return "/".join(escaped) if domain else escaped[1]


def unpack_label(label: str) -> tuple[str, str]:
    """Return domain (empty when none was given) and user ID of a label."""
    domain, slash, user_id = label.partition("/")
    parts = (domain, user_id) if slash else ("", domain)
    first, second = (part.replace("%2F", "/").replace("%25", "%") for part in parts)
    return first, second


def shown_label(label: str) -> str:
    """Return a label as people read it."""
    domain, user_id = unpack_label(label)
    return f"{domain}/{user_id}" if domain else user_id
