"""Read the words of a transfer's subcommands: times, properties, and which of them make a request together."""

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from mft_common.clock import now_ms, parse_iso
from mft_common.settings import duration

# The words of a request that has no file.
_NEEDED: Final = ("source", "destination", "source_agent", "destination_agent")
_SCHEDULE: Final = ("start", "time_base", "every", "count", "end")


def time_option(_context: click.Context, _parameter: click.Parameter, text: str | None) -> int | None:
    """Return milliseconds: of a duration the time so long ago, of a time without a zone that of UTC."""
    if text is None:
        return None
    with suppress(ValueError):
        moment = datetime.fromisoformat(text)
        return parse_iso((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat())
    try:
        return now_ms() - round(duration(text) * 1000)
    except ValueError as error:
        raise click.BadParameter(
            f"{text!r} is neither a time such as 2026-03-04T17:45 nor an age such as 2h"
        ) from error


def properties_option(_context: click.Context, _parameter: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    """Return the properties of `NAME=VALUE`."""
    found = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{one!r} is not of the form NAME=VALUE")
        found[name] = value
    return found


def check_words(given: dict[str, Any], file: Path | None, template: str | None) -> None:
    """Refuse words beside a file or a template, each of which is the whole request, and a request that lacks some."""
    words = {name for name, value in given.items() if value not in (None, {}) and value is not False}
    if file is not None and (words or template is not None):
        raise click.UsageError("--file is the whole request: no other word of one can be given")
    if template is not None and words - set(_SCHEDULE):
        raise click.UsageError("--template is the whole request: only the words of a schedule can be given beside it")
    if file is None and template is None and not all(given[name] for name in _NEEDED):
        raise click.UsageError("SOURCE, DESTINATION, --from and --to are needed, or --file or --template")
