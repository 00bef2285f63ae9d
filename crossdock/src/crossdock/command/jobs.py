"""The subcommands `transaction list|show|run` and `job list|show|log|cancel|terminate`."""

import json
import sys
from pathlib import Path
from typing import Any, Final

import click

from crossdock.command.options import DATA, environ, prints_errors
from mft_common.settings import duration

FORMAT: Final = click.option(
    "--format", "form", type=click.Choice(("table", "json")), default="table", show_default=True
)
_SEQUENCE: Final = click.argument("sequence", type=click.IntRange(1, 10**16 - 1))
_STOPPED: Final = 130
_LONGEST_DELAY_S: Final = 365 * 86_400.0


@click.group()
def transaction() -> None:
    """The transactions of the configuration: show them and run their jobs."""


@transaction.command("list")
@FORMAT
@DATA
@prints_errors
def transaction_list(*, form: str, data: Path) -> None:
    """List the transactions, each with its most recent job."""
    from crossdock.jobs import opened, printing

    with opened(data.absolute(), environ()) as access:
        found = access.transactions()
    _print_json([printing.transaction_json(one) for one in found]) if form == "json" else click.echo(
        printing.transactions(found)
    )


@transaction.command("show")
@click.argument("name")
@DATA
@prints_errors
def transaction_show(*, name: str, data: Path) -> None:
    """Print the definition of a transaction, by its name or id, as JSON."""
    from crossdock.jobs import opened, printing

    with opened(data.absolute(), environ()) as access:
        number, found = access.transaction(name)
    click.echo(json.dumps(printing.definition_json(number, found), indent=2))


@transaction.command("run")
@click.argument("name")
@click.option("--var", "variables", multiple=True, metavar="NAME=VALUE", help="Set a variable; may be repeated.")
@click.option("--delay", callback=lambda *given: _delay(given[2]), help="Queue it after a time such as 10s or 5m.")
@click.option("--watch", is_flag=True, help="Wait for the job's end; the exit code tells it.")
@FORMAT
@DATA
@prints_errors
def transaction_run(*, name: str, variables: tuple[str, ...], delay: float, watch: bool, form: str, data: Path) -> None:
    """Schedule a job of a transaction, by its name or id.

    It need not be allowed to the API.
    Exit codes with --watch: 0 Successful, 1 any other end, 3 no file was found, 4 Warning, 130 interrupted
    (the job goes on).
    """
    from crossdock.jobs import opened, printing, watching

    values = dict(_variable(one) for one in variables)
    with opened(data.absolute(), environ()) as access:
        job = access.run(name, values, delay)
        if not watch:
            _print_json(printing.job_json(job)) if form == "json" else click.echo(str(job.sequence))
            return
        found, files = _watch(access, job.sequence, form)
    _print_json(printing.job_json(found, files)) if form == "json" else click.echo(printing.jobs([found]))
    if found.reason and form != "json":
        click.echo(f"crossdock: job {found.sequence}: {printing.reason(found)}", err=True)
    sys.exit(watching.exit_code(found))


@click.group()
def job() -> None:
    """Jobs: show them and their logs, and stop them."""


@job.command("list")
@click.argument("transaction_name", metavar="[TRANSACTION]", required=False)
@click.option("--unfinished", is_flag=True, help="Only jobs that are not over.")
@click.option(
    "--most", default=20, show_default=True, type=click.IntRange(1, 1_000_000), help="How many, the newest first."
)
@FORMAT
@DATA
@prints_errors
def job_list(*, transaction_name: str | None, unfinished: bool, most: int, form: str, data: Path) -> None:
    """List jobs, the newest first."""
    from crossdock.jobs import opened, printing

    with opened(data.absolute(), environ()) as access:
        found = access.jobs(transaction_name, unfinished=unfinished, most=most)
    _print_json([printing.job_json(one) for one in found]) if form == "json" else click.echo(printing.jobs(found))


@job.command("show")
@_SEQUENCE
@click.option("--watch", is_flag=True, help="Wait for the job's end first; the exit code tells it.")
@FORMAT
@DATA
@prints_errors
def job_show(*, sequence: int, watch: bool, form: str, data: Path) -> None:
    """Show a job and its files."""
    from crossdock.jobs import opened, printing, watching

    with opened(data.absolute(), environ()) as access:
        found, files = _watch(access, sequence, form) if watch else access.job(sequence)
    _print_json(printing.job_json(found, files)) if form == "json" else click.echo(printing.job(found, files))
    if watch:
        sys.exit(watching.exit_code(found))


@job.command("log")
@_SEQUENCE
@FORMAT
@DATA
@prints_errors
def job_log(*, sequence: int, form: str, data: Path) -> None:
    """Print the log of a job; with --format json one object a line."""
    from crossdock.jobs import opened, printing

    with opened(data.absolute(), environ()) as access:
        for record in access.log(sequence):
            _print_json(printing.record_json(record)) if form == "json" else click.echo(printing.record(record))


@job.command("cancel")
@_SEQUENCE
@DATA
@prints_errors
def job_cancel(*, sequence: int, data: Path) -> None:
    """Ask a job to stop between two blocks; one that waits ends at once."""
    _stop(sequence, data, now=False)


@job.command("terminate")
@_SEQUENCE
@DATA
@prints_errors
def job_terminate(*, sequence: int, data: Path) -> None:
    """Have the process of a job killed; one that waits ends at once."""
    _stop(sequence, data, now=True)


def _stop(sequence: int, data: Path, *, now: bool) -> None:
    from crossdock.jobs import opened

    with opened(data.absolute(), environ()) as access:
        access.stop(sequence, now=now)


def _watch(access: Any, sequence: int, form: str) -> tuple[Any, Any]:
    """Follow a job; return it with its files once it is over."""
    from rich.console import Console

    from crossdock.jobs import watching

    console = Console(stderr=True)
    try:
        watching.watch(lambda: access.job(sequence)[0], console if console.is_terminal and form == "table" else None)
    except KeyboardInterrupt:
        click.echo(f"crossdock: job {sequence} goes on", err=True)
        sys.exit(_STOPPED)
    over, files = access.job(sequence)
    return over, files


def _delay(text: str | None) -> float:
    try:
        found = 0.0 if text is None else duration(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    if found > _LONGEST_DELAY_S:
        raise click.BadParameter("is at most 365d")
    return found


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.BadParameter(f"{text!r} is not of the form NAME=VALUE", param_hint="--var")
    return name, value


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value))
