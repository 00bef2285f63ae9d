"""The subcommand `copy`."""

import sys
from pathlib import Path

import click

from crossdock.command.options import CONFIG, DATA, FORMAT, environ, prints_errors


@click.command(name="copy")
@click.argument("source")
@click.argument("destination")
@click.option(
    "--include", multiple=True, metavar="PATTERN", help="Only files whose names match; * and ? are wildcards."
)
@click.option("--recursive", is_flag=True, help="The folders below as well.")
@click.option("--resume", is_flag=True, help="Keep what is unfinished, and go on with what an earlier run kept.")
@click.option("--bandwidth", metavar="RATE", help="At most so much, as 10MiB/s.")
@click.option("--encrypt-to", multiple=True, metavar="KEY", help="Encrypt for this key of the section openpgp.")
@click.option(
    "--at-once", default=8, show_default=True, type=click.IntRange(1, 16), help="Files at the same time, at most."
)
@click.option("--retries", default=2, show_default=True, type=click.IntRange(0, 100), help="Further tries of a file.")
@click.option("--no-replace", is_flag=True, help="Fail where a file of that name is there already.")
@CONFIG
@DATA
@FORMAT
@prints_errors
def copy_files(
    *, source: str, destination: str, include: tuple[str, ...], recursive: bool, resume: bool, bandwidth: str | None,
    encrypt_to: tuple[str, ...], at_once: int, retries: int, no_replace: bool, config: Path | None, data: Path,
    form: str,
) -> None:  # fmt: skip
    """Copy files between any two endpoints, and verify each.

    SOURCE and DESTINATION are paths of this machine, URLs (file: filestore: sftp: ftp: ftps: s3: http: https:) or
    endpoint:NAME[/FOLDER] of the configuration. A SOURCE that names one file is copied to the name DESTINATION, or into
    it where it is a folder or ends with /; of a folder its files are copied.

    Exit codes: 0 all copied, 1 some failed, 2 usage or configuration, 3 nothing found, 4 an end cannot be reached, 74
    the report could not be written, 130 interrupted.
    """
    from crossdock.copying import Request, console

    request = Request(
        source=source, destination=destination, include=include, recursive=recursive, resume=resume,
        at_once=at_once,
        retries=retries, replace=not no_replace, encrypt_to=encrypt_to,
    )  # fmt: skip
    sys.exit(console.run(request, config, data.absolute(), environ(), rate=bandwidth, json_format=form == "json"))
