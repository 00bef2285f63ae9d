"""The subcommands `notification list|retry`."""

import json
from pathlib import Path

import click

from crossdock.command.jobs import FORMAT
from crossdock.command.options import DATA, environ, prints_errors


@click.group()
def notification() -> None:
    """Webhooks and mails about jobs that could not be delivered."""


@notification.command("list")
@click.option("--waiting", is_flag=True, help="Those that are still tried, instead of those that were given up.")
@FORMAT
@DATA
@prints_errors
def notification_list(*, waiting: bool, form: str, data: Path) -> None:
    """List notifications, the oldest first, under a line with the names of the columns."""
    from crossdock import notifications

    found = [notifications.shown(one) for one in notifications.listing(data.absolute(), environ(), waiting=waiting)]
    if form == "json":
        click.echo(json.dumps(found))
    else:
        for line in (notifications.COLUMNS, *(one.values() for one in found)):
            click.echo("\t".join(map(str, line)))


@notification.command("retry")
@click.argument("ids", nargs=-1)
@DATA
@prints_errors
def notification_retry(*, ids: tuple[str, ...], data: Path) -> None:
    """Send notifications that were given up again: all, or those with IDS."""
    from crossdock import notifications

    count = notifications.retry(data.absolute(), environ(), ids or None)
    click.echo(f"{count} tried again")
