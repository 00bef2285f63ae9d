"""The subcommands that verify stored files and write the generated pages."""

import sys
from pathlib import Path

import click

from crossdock.command.options import DATA, FOLDER, environ, prints_errors


@click.command()
@DATA
@prints_errors
def scrub(*, data: Path) -> None:
    """Verify every stored file.

    Lists damaged, missing and orphaned ones. Exit code 1 when there are any.
    """
    from crossdock import scrubbing

    sys.exit(1 if scrubbing.run(data.absolute(), environ(), click.echo) else 0)


@click.command(hidden=True)
@click.argument("folder", type=FOLDER)
@click.option("--check", "only_check", is_flag=True, help="Say whether the pages are up to date, and change nothing.")
@prints_errors
def docs(*, folder: Path, only_check: bool) -> None:
    """Write the generated pages of docs/ anew."""
    from crossdock import pages

    stale = pages.write(folder, only_check=only_check)
    for page in stale:
        click.echo(f"{page} {'is not up to date: run `make docs`' if only_check else 'written'}")
    sys.exit(1 if only_check and stale else 0)
