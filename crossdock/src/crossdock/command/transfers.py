"""The subcommands `transfer list|show|submit|templates|watch|cancel`."""

import json
import sys
from pathlib import Path
from typing import Any, Final

import click

from crossdock.command.jobs import FORMAT
from crossdock.command.options import DATA, environ, prints_errors
from crossdock.command.schedules import schedule_options
from crossdock.command.transfer_words import check_words, properties_option, time_option
from mqmft_svc.domain.states import RANKS

_STOPPED: Final = 130
_PROTOCOLS: Final = ("http-mft", "diplomat", "ibm-mq-mft", "data-protector")
_ID: Final = click.argument("id_", metavar="ID")


@click.group()
def transfer() -> None:
    """The record of transfers of all protocols: show it, and move files between agents."""


@transfer.command("list")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1_000_000), help="How many.")
@click.option(
    "--state", "states", multiple=True, type=click.Choice(tuple(RANKS)), help="In this state; may be repeated."
)
@click.option("--agent", "agents", multiple=True, help="From or to this agent; may be repeated.")
@click.option(
    "--protocol", "protocols", multiple=True, type=click.Choice(_PROTOCOLS), help="Of this protocol; may be repeated."
)
@click.option("--job", help="With this name of the job.")
@click.option(
    "--since", metavar="TIME", callback=time_option, help="Begun at this time or later: 2026-03-04T17:45Z, or 2h."
)
@click.option("--until", metavar="TIME", callback=time_option, help="Begun before this time.")
@click.option("--after", metavar="ID", help="Those that follow this one in the list: the next page.")
@FORMAT
@DATA
@prints_errors
def transfer_list(
    *, limit: int, states: tuple[str, ...], agents: tuple[str, ...], protocols: tuple[str, ...], job: str | None,
    since: int | None, until: int | None, after: str | None, form: str, data: Path,
) -> None:  # fmt: skip
    """List transfers, the newest first.

    A time is one of ISO 8601, of UTC where it names no zone, or an age such as 90s, 10m, 2h or 7d.
    """
    from crossdock.transfers import opened, printing
    from mqmft_svc.store.transfers import Filter

    matching = Filter(
        states=states, agents=[one.upper() for one in agents], protocols=protocols, job_name=job, since=since,
        until=until,
    )  # fmt: skip
    with opened(data.absolute(), environ()) as access:
        found = access.transfers(matching, limit=limit, after=after)
    _print_json(printing.transfers_json(found)) if form == "json" else click.echo(printing.transfers(found))


@transfer.command("show")
@_ID
@FORMAT
@DATA
@prints_errors
def transfer_show(*, id_: str, form: str, data: Path) -> None:
    """Show a transfer and its items.

    ID is the id in either case, or an end of it of at least 6 digits that no other one has.
    """
    from crossdock.transfers import opened, printing

    with opened(data.absolute(), environ()) as access:
        found, items = access.transfer(id_)
    _print_document(found, items) if form == "json" else click.echo(printing.transfer(found, items))


@transfer.command("submit")
@click.argument("source", required=False)
@click.argument("destination", required=False)
@click.option("--from", "source_agent", metavar="AGENT", help="The agent of SOURCE.")
@click.option("--to", "destination_agent", metavar="AGENT", help="The agent of DESTINATION.")
@click.option("--text", is_flag=True, help="Convert line ends and encoding as text.")
@click.option("--recursive", is_flag=True, help="The folders below as well.")
@click.option("--if-exists", type=click.Choice(("error", "overwrite")), help="Where a file is there.  [default: error]")
@click.option("--delete-source", is_flag=True, help="Delete each file at the source once it is delivered.")
@click.option("--checksum", type=click.Choice(("md5", "none")), help="How files are compared.  [default: md5]")
@click.option("--job", help="A name to find the transfer by.")
@click.option("--priority", type=int, help="0 to 9; those of higher priority begin first.  [default: 0]")
@click.option("--recovery-timeout", type=int, help="Seconds to recover for; -1 for ever.  [default: -1]")
@click.option("--retries", type=int, help="Further tries of a file.  [default: 3]")
@click.option("--property", "properties", multiple=True, metavar="NAME=VALUE", callback=properties_option,
              help="A user property; may be repeated.")  # fmt: skip
@schedule_options
@click.option("--file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True), metavar="REQUEST",
              help="The body of a POST transfer as JSON instead, - for standard input.")  # fmt: skip
@click.option(
    "--template",
    metavar="NAME",
    help="A transfer of crossdock.yaml instead; --start and the like replace its schedule.",
)
@click.option("--watch", is_flag=True, help="Wait for the transfer's end; the exit code tells it.")
@FORMAT
@DATA
@prints_errors
def transfer_submit(
    *, file: Path | None, template: str | None, watch: bool, form: str, data: Path, **words: Any
) -> None:
    """Move files from one agent to another, and print the id of the transfer.

    SOURCE is a file below the root of its agent, a pattern (* and ? in the name), or a folder where it ends with / or
    with --recursive; DESTINATION is a file, or a folder where it ends with /. The account is `system`.
    --template takes one of the transfers that crossdock.yaml names, see `crossdock transfer templates`.
    With --start the transfer waits for its time; see `crossdock schedule`.
    Exit codes: 0 accepted, with --watch successful; 2 refused. Where the transfer has ended, also at once: 1 failed,
    4 some files were moved and some not, 5 cancelled or taken back. 130 interrupted (the transfer goes on).
    """
    from crossdock.transfers import opened
    from crossdock.transfers.requests import Words, read, with_schedule

    check_words(words, file, template)
    with opened(data.absolute(), environ()) as access:
        if template is not None:
            body = with_schedule(access.template(template), words)
        else:
            body = Words(**words).body(access.qmgr_of) if file is None else read(file)
        id_ = access.submit(body)
        if form == "table":
            click.echo(id_)
        if watch:
            _watch(access, id_, form)
        found, items = access.transfer(id_)
    if form == "json":
        _print_document(found, items)
    _exit_if_over(found, items)


@transfer.command("templates")
@FORMAT
@DATA
@prints_errors
def transfer_templates(*, form: str, data: Path) -> None:
    """List the transfers that crossdock.yaml names, which `submit --template` submits."""
    from crossdock.transfers import opened, printing

    with opened(data.absolute(), environ()) as access:
        found = access.templates()
    if form == "json":
        _print_json([{"name": name, **body} for name, body in found.items()])
    else:
        click.echo(printing.templates(found))


@transfer.command("watch")
@_ID
@FORMAT
@DATA
@prints_errors
def transfer_watch(*, id_: str, form: str, data: Path) -> None:
    """Wait for a transfer's end; one bar shows it on a terminal.

    Exit codes: 0 successful, 1 failed, 2 there is no such transfer, 4 some files were moved and some not, 5 cancelled
    or taken back, 130 interrupted (the transfer goes on).
    """
    from crossdock.transfers import opened

    with opened(data.absolute(), environ()) as access:
        _watch(access, access.transfer(id_)[0].id, form)


@transfer.command("cancel")
@_ID
@DATA
@prints_errors
def transfer_cancel(*, id_: str, data: Path) -> None:
    """Stop a transfer between agents between two blocks, or take it back before it began."""
    from crossdock.transfers import opened

    with opened(data.absolute(), environ()) as access:
        access.cancel(id_)


def _watch(access: Any, id_: str, form: str) -> None:
    """Follow a transfer, print it, and exit with the code of its end."""
    from rich.console import Console

    from crossdock.transfers import printing, watching

    console = Console(stderr=True)
    try:
        watching.watch(access, id_, console if console.is_terminal and form == "table" else None)
    except KeyboardInterrupt:
        click.echo(f"crossdock: transfer {id_} goes on", err=True)
        sys.exit(_STOPPED)
    found, items = access.transfer(id_)
    if form == "json":
        _print_document(found, items)
    else:
        click.echo(printing.transfers([found]))
    _exit_if_over(found, items)


def _exit_if_over(found: Any, items: Any) -> None:
    """Exit with the code of a transfer's end, with lines about one that did not succeed; return before its end."""
    from crossdock.transfers import printing, watching
    from mqmft_svc.domain.states import is_final

    if not is_final(found.state):
        return
    code = watching.exit_code(found)
    if code:
        click.echo(f"crossdock: {printing.end(found)}", err=True)
        for line in printing.failures(found, items):
            click.echo(f"crossdock: {line}", err=True)
    sys.exit(code)


def _print_document(found: Any, items: Any) -> None:
    """Print a transfer with its items as the REST API shows it."""
    from mqmft_svc.schemas.documents import whole_document

    _print_json(whole_document(found, items))


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value))
