"""The subcommands `endpoint list|check`."""

import json
import sys
from pathlib import Path

import click

from crossdock.command.options import CONFIG, DATA, FORMAT, environ, prints_errors


@click.group()
def endpoint() -> None:
    """The places that files are copied from and to."""


@endpoint.command("list")
@CONFIG
@FORMAT
@prints_errors
def endpoint_list(*, config: Path | None, form: str) -> None:
    """List the configured endpoints.

    Columns: name, kind, URL.
    """
    from crossdock import endpoint_check

    rows = list(endpoint_check.listed(config))
    if form == "json":
        click.echo(json.dumps([dict(zip(("name", "kind", "url"), row, strict=True)) for row in rows]))
    else:
        for row in rows:
            click.echo("\t".join(row))


@endpoint.command("check")
@click.argument("name")
@CONFIG
@DATA
@FORMAT
@prints_errors
def endpoint_check_one(*, name: str, config: Path | None, data: Path, form: str) -> None:
    """Connect to an endpoint, list it, and say what its far side can do.

    NAME is that of an endpoint in the configuration, or a URL. Shows the host keys of an SFTP server, and what to write
    where to pin one. Exit codes: 0 it can be used, 1 it cannot, 2 usage or configuration,
    130 interrupted.
    """
    from crossdock import endpoint_check

    findings = endpoint_check.check(name, config, data.absolute(), environ())
    if form == "json":
        click.echo(json.dumps(findings.as_json()))
    else:
        endpoint_check.print_findings(findings, click.echo)
    sys.exit(findings.exit_code)
