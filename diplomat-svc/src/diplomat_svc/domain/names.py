"""Expand variables, name destinations, and escape texts of clients for the lines of a log."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from diplomat_svc.domain.transactions import Transaction

_VARIABLE: Final = re.compile(r"<%(.+?)%>", re.DOTALL)
_DOTS: Final = (".", "..")
# A byte of a name that is no UTF-8, as texts of errors show it.
_BYTE: Final = re.compile(r"\\x[89a-f][0-9a-f]")


def controls(text: str) -> bool:
    """Return whether `text` holds a control character."""
    return any(unicodedata.category(character) == "Cc" for character in text)


def expand(text: str, values: Mapping[str, str]) -> str:
    """Replace each `<%name%>` that has a value, in one pass: a value is never expanded again (A29)."""
    return _VARIABLE.sub(lambda match: values.get(match[1], match[0]), text)


@dataclass(frozen=True)
class Expanded:
    """A definition whose fields have their values; `missing` names the variables that have none (A28)."""

    transaction: Transaction
    missing: tuple[str, ...]


def known_variables(transaction: Transaction) -> tuple[str, ...]:
    """Return the names of the variables that a transaction has default values for or uses, each once."""
    source, destination, compress = transaction.source, transaction.destination, transaction.compress
    texts = (*source.files, *source.required, destination.files or "", compress.zip or "")
    used = (name for text in texts for name in _VARIABLE.findall(text))
    return tuple(dict.fromkeys((*used, *transaction.variables)))


def expand_transaction(transaction: Transaction, given: Mapping[str, str]) -> Expanded:
    """Expand a transaction's fields by its default variables and those of this run, which win."""
    values = {**transaction.variables, **given}
    source, destination, compress = transaction.source, transaction.destination, transaction.compress
    missing = tuple(name for name in known_variables(transaction) if name not in values)
    files = tuple(expand(text, values) for text in source.files)
    required = tuple(expand(text, values) for text in source.required)
    target = None if destination.files is None else expand(destination.files, values)
    archive = None if compress.zip is None else expand(compress.zip, values)
    changed = replace(
        transaction,
        source=replace(source, files=files, required=required),
        destination=replace(destination, files=target),
        compress=replace(compress, zip=archive),
    )
    return Expanded(changed, missing)


def unfit_value(transaction: Transaction, given: Mapping[str, str]) -> str | None:
    """Return the name of a variable whose value cannot be part of a file's name; None when there is none (A31)."""
    for name, value in given.items():
        if "/" in value or "\\" in value or controls(value):
            return name
    fields = expand_transaction(transaction, given).transaction
    names = (fields.destination.files or "", fields.compress.zip or "")
    if _dotted((*fields.source.files, *fields.source.required, *names)):
        return next(iter(given), "")
    return None


def _dotted(names: Sequence[str]) -> bool:
    return any(name in _DOTS for name in names)


def destination_name(template: str | None, source: str) -> str:
    """Return a file's name at the destination; each `*` of the template stands for the source's whole name."""
    return source if template is None else template.replace("*", source)


def destination_path(template: str | None, member: str) -> str:
    """Return the path of an archive's member at the destination: in the folder that it has in the archive."""
    folder, slash, name = member.rpartition("/")
    return f"{folder}{slash}{destination_name(template, name)}"


def archive_path(path: str, sequence: str) -> str:
    """Return the path of a file in an archive: the job's sequence stands before the extension of its name."""
    folder, slash, name = path.rpartition("/")
    stem, dot, extension = name.rpartition(".")
    if not stem:
        stem, dot, extension = name, "", ""
    return f"{folder}{slash}{stem}-{sequence}{dot}{extension}"


def printable(text: str) -> str:
    """Return `text` for one line of a log: control characters as escapes, lone surrogates as U+FFFD (A60)."""
    return "".join(_safe(character) for character in text)


def log_text(text: str) -> str:
    """Return `text` as `printable` does, with U+FFFD also for the bytes that texts of errors show as escapes (A60)."""
    return printable(_BYTE.sub("\ufffd", text))


def _safe(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cs":
        return "\ufffd"
    if category in ("Cc", "Zl", "Zp"):
        return character.encode("unicode_escape").decode("ascii")
    return character


def pack_label(domain: str, user_id: str) -> str:
    """Return the label of a client, `domain/userID` or `userID` (23); `unpack_label` gets the two back.

    Slashes within the parts are escaped, so that the first unescaped one separates them.
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
    """Return a label without escapes, for people."""
    domain, user_id = unpack_label(label)
    return f"{domain}/{user_id}" if domain else user_id
