"""The subcommands `protect` and `unprotect`, and those of `id`."""

import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import click

from crossdock.command.options import DATA, FILE, FORMAT, environ, prints_errors

_FILES: Final = click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
_REPLACE: Final = click.option("--replace", "replacing", is_flag=True, help="Replace an output that is there already.")


@click.command()
@_FILES
@click.option("--id", "name", required=True, metavar="ID", help="A file, or NAME or CONFIGURATION:NAME of a hub.")
@_REPLACE
@DATA
@FORMAT
@prints_errors
def protect(*, files: tuple[Path, ...], name: str, replacing: bool, data: Path, form: str) -> None:
    """Protect each FILE to an ID, as FILE.sealed beside it. The files themselves stay.

    Exit codes: 0 all protected, 1 some failed or are not there, 2 usage or an ID that cannot be used, 3 none is there,
    74 the report could not be written, 130 interrupted.
    """
    from crossdock import ids
    from crossdock.protecting import console
    from crossdock.protecting.files import Prepare, protecting

    def make() -> Prepare:
        with ids.opened(data.absolute(), environ()) as access:
            contents = access.find(name)
            access.recipient(contents)
        # Its rules are asked again before each file: they may forbid it after a while.
        return protecting(lambda: access.recipient(contents))

    code = console.run(files, make, data.absolute(), done="protected", replacing=replacing, json_format=form == "json")
    sys.exit(code)


@click.command()
@_FILES
@click.option("--id", "name", metavar="ID", help="This ID alone.  [default: the IDs of the hub]")
@_REPLACE
@DATA
@FORMAT
@prints_errors
def unprotect(*, files: tuple[Path, ...], name: str | None, replacing: bool, data: Path, form: str) -> None:
    """Restore each protected FILE beside it, under its own name and with its own time. The files themselves stay.

    It needs the key of a hub in the data folder. Exit codes as of protect.
    """
    from crossdock import ids
    from crossdock.protecting import console
    from crossdock.protecting.files import Prepare, restoring

    with ExitStack() as stack:

        def make() -> Prepare:
            access = stack.enter_context(ids.opened(data.absolute(), environ()))
            access.check_key()
            return restoring(access.find_key if name is None else access.key_of(access.find(name)))

        code = console.run(
            files, make, data.absolute(), done="restored", replacing=replacing, json_format=form == "json"
        )
    sys.exit(code)


@click.group("id")
def id_() -> None:
    """The IDs that files are protected to: make them and show them."""


@id_.command("new")
@click.argument("name")
@click.option(
    "--machine", "machines", multiple=True, type=FILE, help="A fingerprint; may be repeated.  [default: ours]"
)
@click.option("--preset", help="The preset of its rules.  [default: that of the configuration]")
@click.option("--output", type=FILE, help="Write it to this new file; the hub does not store it then.")
@DATA
@prints_errors
def id_new(*, name: str, machines: tuple[Path, ...], preset: str | None, output: Path | None, data: Path) -> None:
    """Make the ID NAME, or CONFIGURATION:NAME, for this machine or for those of fingerprints."""
    from crossdock import ids

    given = ids.fingerprints(machines)
    with ids.opened(data.absolute(), environ()) as access:
        if output is None:
            access.new(name, given, preset)
        else:
            ids.write(output, access.issue(name, given, preset))


@id_.command("show")
@click.argument("name", metavar="ID")
@click.option("--format", "form", type=click.Choice(("text", "json", "xml")), default="text", show_default=True)
@DATA
@prints_errors
def id_show(*, name: str, form: str, data: Path) -> None:
    """Show an ID: a file, or NAME or CONFIGURATION:NAME of a hub; as it is with --format xml.

    Exit code 1 when no file can be protected to it now, but with --format xml.
    """
    from crossdock import ids
    from crossdock.ids import showing

    with ids.opened(data.absolute(), environ()) as access:
        contents = access.find(name)
        if form == "xml":
            click.echo(contents, nl=False)
            return
        found = showing.describe(access, contents)
    click.echo(json.dumps(found) if form == "json" else showing.as_text(found))
    sys.exit(1 if found["protect_problem"] else 0)
