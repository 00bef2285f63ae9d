"""The subcommand `mqmft ingest`."""

import sys
from pathlib import Path

import click

from crossdock.command.options import DATA, FILE, environ, prints_errors


@click.group()
def mqmft() -> None:
    """The record of an existing IBM MQ MFT network."""


@mqmft.command("ingest")
@click.argument("files", nargs=-1, required=True, type=FILE, metavar="FILE...")
@DATA
@prints_errors
def mqmft_ingest(*, files: tuple[Path, ...], data: Path) -> None:
    """Record the transfers that the capture logs of agents hold.

    Each line of a FILE is `time!topic!message`. The same file can be read again, and those of an agent in any order.
    Exit codes: 0 every message was read, 1 some were not and are named on stderr, 2 there is no such hub or file.
    """
    from crossdock import ingesting

    refused = 0
    for file in files:

        def refuse(number: int, reason: str, file: Path = file) -> None:
            nonlocal refused
            refused += 1
            click.echo(f"crossdock: {file}:{number}: {reason}", err=True)

        count = ingesting.ingest(file, data.absolute(), environ(), refuse)
        click.echo(f"{file}: {count} message(s)")
    sys.exit(1 if refused else 0)
