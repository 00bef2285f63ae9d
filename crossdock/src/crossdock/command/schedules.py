"""The subcommands `schedule list|delete`."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from crossdock.command.jobs import FORMAT
from crossdock.command.options import DATA, environ, prints_errors

# The words of the protocol; to import them would load the database's library for `--help`.
_UNITS: Final = ("minute", "hour", "day", "week", "month", "year")
_EVERY: Final = re.compile(rf"(?:([0-9]{{1,10}})\s+)?({'|'.join(_UNITS)})s?")


def _every(_context: click.Context, _parameter: click.Parameter, text: str | None) -> tuple[int, str] | None:
    if text is None:
        return None
    found = _EVERY.fullmatch(text.strip())
    if found is None:
        raise click.BadParameter(f"{text!r} is not of the form '2 days': a number, and one of {', '.join(_UNITS)}")
    return int(found[1] or 1), f"{found[2]}s"


_OPTIONS: Final = (
    click.option("--start", metavar="TIME", help="Run it later: at 2026-03-01T06:00, or when it is 06:00 next."),
    click.option("--time-base", type=click.Choice(("admin", "source", "utc")),
                 help="The zone of the times: the hub's, the source agent's, or UTC.  [default: admin]"),
    click.option("--every", metavar="'N UNIT'", callback=_every,
                 help="Run it again and again: '2 days', or another number of minutes, hours, weeks, months, years."),
    click.option("--count", type=int, help="How often in all, with --every.  [default: for ever]"),
    click.option("--end", metavar="TIME", help="The latest time, with --every: 2026-12-01T06:00."),
)  # fmt: skip


def schedule_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that make a scheduled transfer of a request."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.group()
def schedule() -> None:
    """The schedules of transfers between agents that are not over."""


@schedule.command("list")
@FORMAT
@DATA
@prints_errors
def schedule_list(*, form: str, data: Path) -> None:
    """List the schedules, the next one to run first.

    NEXT is the time of the next transfer in UTC; RUNS counts those whose time has come.
    """
    from crossdock.transfers import opened, scheduled

    with opened(data.absolute(), environ()) as access:
        found = access.schedules()
    click.echo(json.dumps(scheduled.as_json(found)) if form == "json" else scheduled.as_table(found))


@schedule.command("delete")
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@DATA
@prints_errors
def schedule_delete(*, ids: tuple[str, ...], data: Path) -> None:
    """Remove the rest of schedules: no further transfer of them begins.

    ID is that of the transfer that `transfer submit` or the POST answered, or an end of it of at least 6 digits. A
    transfer that waits for its time ends as `deleted`; one whose time has come is left alone.
    Exit codes: 0 removed, 2 there is no such schedule.
    """
    from crossdock.transfers import opened

    with opened(data.absolute(), environ()) as access:
        for id_ in ids:
            access.delete_schedule(id_)
