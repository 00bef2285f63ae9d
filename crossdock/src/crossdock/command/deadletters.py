"""The subcommands `deadletter list|replay`."""

from pathlib import Path

import click

from crossdock.command.options import DATA, environ, prints_errors


@click.group()
def deadletter() -> None:
    """Events that a service could not handle."""


@deadletter.command("list")
@click.argument("service", required=False)
@DATA
@prints_errors
def deadletter_list(*, service: str | None, data: Path) -> None:
    """List the dead letters of one service or of all.

    Columns: service, id, type, subject, tries, reason.
    """
    from crossdock import deadletters

    for name, letter in deadletters.listing(data.absolute(), environ(), service):
        columns = (name, letter.id, letter.type, letter.subject, str(letter.attempts), letter.reason)
        click.echo("\t".join(columns))


@deadletter.command("replay")
@click.argument("service")
@click.argument("ids", nargs=-1)
@DATA
@prints_errors
def deadletter_replay(*, service: str, ids: tuple[str, ...], data: Path) -> None:
    """Deliver dead letters again: all, or those with IDS."""
    from crossdock import deadletters

    count = deadletters.replay(data.absolute(), environ(), service, ids or None)
    click.echo(f"{count} delivered again")
