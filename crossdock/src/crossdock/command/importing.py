"""The subcommand `import ibm-mft`."""

import sys
from pathlib import Path

import click

from crossdock.command.options import FILE, prints_errors


@click.group("import")
def import_() -> None:
    """Write crossdock.yaml from the definitions of another product."""


@import_.command("ibm-mft")
@click.argument("files", nargs=-1, required=True, type=FILE, metavar="FILE...")
@click.option("--root", "roots", multiple=True, metavar="AGENT=URL", help="The root of an agent; may be repeated.")
@prints_errors
def import_ibm_mft(*, files: tuple[Path, ...], roots: tuple[str, ...]) -> None:
    """Print crossdock.yaml for the XML of IBM MQ Managed File Transfer.

    Each FILE is a template (fteListTemplates -x), a resource monitor (fteListMonitors -ox), a transfer request
    (fteCreateTransfer -gt) or a list of scheduled transfers. Each part that is not carried over is a line on stderr.
    Exit codes: 0 everything was carried over, 1 something was not, 2 a file cannot be read: nothing is printed.
    """
    from crossdock import importing

    text, notes = importing.ibm_mft(files, dict(_root(one) for one in roots))
    click.echo(text, nl=False)
    for note in notes:
        click.echo(f"crossdock: {note}", err=True)
    sys.exit(1 if notes else 0)


def _root(text: str) -> tuple[str, str]:
    name, equals, url = text.partition("=")
    if not equals or not name or not url:
        raise click.BadParameter(f"{text!r} is not of the form AGENT=URL", param_hint="--root")
    return name.upper(), url
