"""Read typed settings from the environment, and report every problem at once."""

import dataclasses
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from mft_common.errors import ConfigError

REQUIRED: Final = object()
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)?")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, None: 1.0}
_SIZE = re.compile(r"(\d+)(B|KiB|MiB|GiB|TiB)?")
# A hundred years and 8 EiB: more has no use, and is no number that databases hold as milliseconds or bytes.
_LONGEST_S: Final = 36_525 * 86_400.0
_LARGEST: Final = (1 << 63) - 1
_BYTES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40, None: 1}

S = TypeVar("S")
Parser = Callable[[str], Any]


class SettingsError(ConfigError):
    """One or more environment variables are missing or malformed."""


def text(raw: str) -> str:
    """Return the text unchanged."""
    return raw


def integer(raw: str) -> int:
    """Read a whole number."""
    if not re.fullmatch(r"-?[0-9]+", raw):
        raise ValueError("is not a whole number")
    return int(raw)


def boolean(raw: str) -> bool:
    """Read `1/0`, `true/false` or `on/off`."""
    values = {"1": True, "true": True, "on": True, "0": False, "false": False, "off": False}
    if raw.lower() not in values:
        raise ValueError("is none of 1, 0, true, false, on, off")
    return values[raw.lower()]


def duration(raw: str) -> float:
    """Read `10s`, `5m`, `24h`, `90d`, `250ms` or bare seconds, a hundred years at most; return seconds."""
    match = _DURATION.fullmatch(raw)
    if match is None:
        raise ValueError("is no duration such as 10s, 5m, 24h or 90d")
    seconds = float(match[1]) * _SECONDS[match[2]]
    if seconds > _LONGEST_S:
        raise ValueError("is longer than 36525d")
    return seconds


def size(raw: str) -> int:
    """Read `256KiB`, `8MiB` or bare bytes, less than 8 EiB; return bytes."""
    match = _SIZE.fullmatch(raw)
    if match is None:
        raise ValueError("is no size such as 256KiB or 8MiB")
    count = int(match[1]) * _BYTES[match[2]]
    if count > _LARGEST:
        raise ValueError("is 8 EiB or more")
    return count


def csv(raw: str) -> tuple[str, ...]:
    """Read a comma-separated list without the blanks around its names; an empty text is an empty list."""
    return tuple(part.strip() for part in raw.split(",") if part.strip())


def choice(*allowed: str) -> Parser:
    """Return a parser that takes one of `allowed`."""

    def parse(raw: str) -> str:
        if raw not in allowed:
            raise ValueError(f"is none of {', '.join(allowed)}")
        return raw

    return parse


def setting(name: str, parse: Parser = text, default: Any = REQUIRED, *, secret: bool = False, doc: str = "") -> Any:
    """Declare a field of a settings dataclass that the environment variable `name` fills.

    `default` is a value, not a text to be parsed. A secret has none: leaving one out is an error.
    """
    if secret and default not in (REQUIRED, None):
        raise TypeError(f"{name} is a secret and may have no default")
    metadata = {"env": name, "parse": parse, "secret": secret, "doc": doc}
    if default is REQUIRED:
        return dataclasses.field(metadata=metadata, repr=not secret)
    return dataclasses.field(default=default, metadata=metadata, repr=not secret)


def lookup(name: str, environ: Mapping[str, str]) -> str | None:
    """Return the value of `name`, or the content of the file that `name_FILE` names; None where there is neither.

    SettingsError when that file cannot be read.
    """
    path = environ.get(f"{name}_FILE")
    if name in environ or path is None:
        return environ.get(name)
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError([f"{name}_FILE: {path} cannot be read ({type(error).__name__})"]) from error


def from_env(cls: type[S], environ: Mapping[str, str]) -> S:
    """Fill the dataclass `cls` from `environ`; SettingsError names every variable that is missing or malformed.

    `NAME_FILE` names a file that holds the value of `NAME`, for secrets that are handed over as files.
    """
    values: dict[str, Any] = {}
    problems: list[str] = []
    for field in dataclasses.fields(cast("Any", cls)):
        name = field.metadata.get("env")
        if name is None:
            continue
        try:
            raw = lookup(name, environ)
        except SettingsError as error:
            problems += error.problems
            continue
        if raw is None:
            if field.default is dataclasses.MISSING:
                problems.append(f"{name} is not set{': ' + field.metadata['doc'] if field.metadata['doc'] else ''}")
            continue
        try:
            values[field.name] = field.metadata["parse"](raw)
        except ValueError as error:
            shown = "its value" if field.metadata["secret"] else repr(raw)
            problems.append(f"{name}: {shown} {error}")
    if problems:
        raise SettingsError(problems)
    return cls(**values)
