"""Read the lines of listings: the facts of MLSD, and LIST as Unix and DOS servers write it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

Kind = Literal["file", "folder", "link", "special", "itself"]

# Every pattern takes time that grows with a line's length alone: a server may send any line.
# The date ends the part in which owners and groups may hold blanks; one blank follows it, then the name begins. Dates
# have no zone and some no year, so that they are never taken for a time.
_UNIX: Final = re.compile(
    r"(?P<type>[-a-zA-Z])[-rwxsStTlL]{9}[+@.]?\s.*?"
    r"(?<!\d)(?P<size>\d{1,19})\s+"
    r"(?:[^\W\d]{3,5}\.?\s+\d{1,2}|\d{1,2}\s+[^\W\d]{3,5}\.?|\d{4}-\d{2}-\d{2})\s+"
    r"(?:\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:\s[+-]\d{4})?|\d{4})\s"
    r"(?P<name>.+)",
    re.DOTALL,
)
# IIS writes a size at the right of its column and one blank, or <DIR> and ten.
_DOS: Final = re.compile(
    r"\d{2,4}[-/]\d{2}[-/]\d{2,4}\s+\d{1,2}:\d{2}(?:\s*[AaPp][Mm])?\s+"
    r"(?:(?P<size>\d{1,19})\s|<(?P<type>[A-Z]+)>\s{1,10})(?P<name>.+)",
    re.DOTALL,
)
_TOTAL: Final = re.compile(r"(total|insgesamt)\s.*|\s*", re.IGNORECASE)
_EARLIEST_MS: Final = -62_135_596_800_000
_LATEST_MS: Final = 253_402_300_800_000
_NUMBER: Final = re.compile(r"[0-9]{1,19}")
_TIME: Final = re.compile(r"(\d{14})(?:\.(\d{1,9}))?")


@dataclass(frozen=True)
class Line:
    """One listed name. `modified_at` is in milliseconds since the epoch; `version` is of size, time and identity."""

    name: str
    kind: Kind
    size: int | None = None
    modified_at: int | None = None
    version: str = ""
    identity: str = ""


def parse_list(text: str) -> Line | None:
    """Return the name of a line of LIST, kind "itself" for lines that name none; None for an unknown form."""
    if _TOTAL.fullmatch(text):
        return Line("", "itself")
    if match := _UNIX.fullmatch(text):
        return _unix(match)
    if match := _DOS.fullmatch(text):
        return _dos(match)
    return None


def _unix(match: re.Match[str]) -> Line:
    name, kinds = match["name"], {"-": "file", "d": "folder", "l": "link"}
    if name in (".", ".."):
        return Line(name, "itself")
    match match["type"]:
        case "-":
            return Line(name, "file", int(match["size"]))
        case "d":
            return Line(name, "folder")
        case "l":
            return Line(name.partition(" -> ")[0], "link")
        case other:
            assert other not in kinds
            return Line(name, "special")


def _dos(match: re.Match[str]) -> Line:
    name, special = match["name"], match["type"]
    if name in (".", ".."):
        return Line(name, "itself")
    if special is None:
        return Line(name, "file", int(match["size"]))
    return Line(name, "folder" if special == "DIR" else "link")


def parse_facts(text: str) -> Line | None:
    """Return the name of a line of MLSD or MLST (RFC 3659, 7.2); None for what is no such line."""
    facts, blank, name = text.partition(" ")
    if not blank or not name or (facts and not facts.endswith(";")):
        return None
    pairs = (fact.partition("=") for fact in facts.split(";") if fact)
    values = {key.lower(): value for key, _, value in pairs}
    size = values.get("size", "")
    modified_at = parse_time(values.get("modify", ""))
    kind = _kind(values.get("type", "file").lower())
    known = number_of(size) if kind == "file" else None
    return Line(name, kind, known, modified_at, _version(values, kind), values.get("unique", ""))


def _kind(fact: str) -> Kind:
    if fact in ("cdir", "pdir"):
        return "itself"
    if fact == "dir":
        return "folder"
    if fact == "file":
        return "file"
    return "link" if fact.startswith(("os.unix=slink", "os.unix=symlink")) else "special"


def _version(facts: Mapping[str, str], kind: Kind) -> str:
    return version_of(facts.get("size"), facts.get("modify"), facts.get("unique")) if kind == "file" else ""


def version_of(size: object, modified: str | None, identity: str | None = None) -> str:
    """Return the version of a file of this size and time of the server; "" where one of them is not known."""
    return f"{size}:{modified}:{identity or ''}" if size not in (None, "") and modified else ""


def number_of(text: str) -> int | None:
    """Return a size as servers write it; None for what is no number of at most 19 digits."""
    return int(text) if _NUMBER.fullmatch(text) else None


def parse_time(text: str) -> int | None:
    """Return a time of MLSD or MDTM, which is UTC, in milliseconds since the epoch; None for no time."""
    match = _TIME.fullmatch(text.strip())
    if match is None:
        return None
    try:
        moment = datetime.strptime(match[1], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    return int(moment.timestamp()) * 1000 + int((match[2] or "0").ljust(3, "0")[:3])


def format_time(modified_at: int) -> str | None:
    """Return milliseconds since the epoch as MFMT takes them; None outside of the years 1 to 9999."""
    if not _EARLIEST_MS <= modified_at < _LATEST_MS:
        return None
    return datetime.fromtimestamp(modified_at // 1000, UTC).strftime("%Y%m%d%H%M%S")
