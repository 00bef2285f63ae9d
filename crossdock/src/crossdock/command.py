"""The `crossdock` command."""

import json
import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from crossdock import __version__, secrets_folder
from crossdock import demo as demo_content
from mft_common.errors import ConfigError, MftError

_FOLDER = click.Path(path_type=Path, file_okay=False)
_FILE = click.Path(path_type=Path, dir_okay=False)


def _prints_errors(run: Callable[..., Any]) -> Callable[..., Any]:
    """Print the hub's own errors as lines on stderr without a stack trace, and exit with code 2."""

    @wraps(run)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return run(*args, **kwargs)
        except ConfigError as error:
            click.echo(f"crossdock: the configuration has {len(error.problems)} problem(s):", err=True)
            for problem in error.problems:
                click.echo(f"  {problem}", err=True)
        except MftError as error:
            click.echo(f"crossdock: {error}", err=True)
        except OSError as error:
            # Its own text begins with a number.
            reason = f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error)
            click.echo(f"crossdock: {reason}", err=True)
        sys.exit(2)

    return wrapped


def _environ() -> dict[str, str]:
    return dict(os.environ)  # noqa: TID251 -- the one place where the command reads the environment


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """A hub for managed file transfer that speaks four vendors' protocols on one address."""


@main.command()
@click.option("--demo", is_flag=True, help="Published accounts and sample files, on loopback alone.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="HTTP port.")
@click.option("--https-port", type=click.IntRange(0, 65535), help="HTTPS port as well.")
@click.option("--data", default="./data", show_default=True, type=_FOLDER, help="Everything is kept below this folder.")
@click.option("--config", type=_FILE, help="Configuration file.  [default: crossdock.yaml, where there is one]")
@click.option("--workers", default=2, show_default=True, type=click.IntRange(1, 64), help="Web processes.")
@_prints_errors
def up(
    *, demo: bool, host: str, port: int, https_port: int | None, data: Path, config: Path | None, workers: int
) -> None:
    """Start the hub on this machine and stay in the foreground."""
    from crossdock.up import Options, start

    options = Options(
        data=data.absolute(), host=host, port=port, https_port=https_port, workers=workers, demo=demo, config=config
    )
    sys.exit(start(options, _environ()))


@main.command()
@click.option("--data", required=True, type=_FOLDER)
@click.option("--secrets", required=True, type=_FOLDER)
@_prints_errors
def init(*, data: Path, secrets: Path) -> None:
    """Make the secrets of many containers.

    With MFT_DEMO=1 the files of the demo as well.
    """
    secrets_folder.ensure(secrets)
    data.mkdir(parents=True, exist_ok=True)
    if _environ().get("MFT_DEMO") == "1":
        demo_content.lay_out(data)


@main.command()
@click.argument("file", type=_FILE)
@_prints_errors
def check(*, file: Path) -> None:
    """Validate a configuration file as a whole, and change nothing."""
    from crossdock import configuration, environment, sections

    environ = environment.of_a_check(_environ())
    document, reader = configuration.read(file, environ, demo=False)
    configuration.validate(document, reader, environ)
    for key in sections.unused(document):
        click.echo(f"{key}: has no effect yet", err=True)
    click.echo(f"{file}: fine")


@main.command()
@click.argument("file", type=_FILE)
@click.option("--data", default="./data", show_default=True, type=_FOLDER, help="The hub's data folder.")
@_prints_errors
def apply(*, file: Path, data: Path) -> None:
    """Apply another configuration to the running hub."""
    from crossdock import applying

    applying.ask(data.absolute(), file)
    click.echo(f"{file}: applied")


_CONFIG = click.option(
    "--config", type=_FILE, help="Configuration file.  [default: crossdock.yaml, where there is one]"
)
_DATA = click.option("--data", default="./data", show_default=True, type=_FOLDER, help="The hub's data folder.")
_FORMAT = click.option("--format", "form", type=click.Choice(("text", "json")), default="text", show_default=True)


@main.command(name="copy")
@click.argument("source")
@click.argument("destination")
@click.option(
    "--include", multiple=True, metavar="PATTERN", help="Only files whose names match; * and ? are wildcards."
)
@click.option("--recursive", is_flag=True, help="The folders below as well.")
@click.option("--resume", is_flag=True, help="Keep what is unfinished, and go on with what an earlier run kept.")
@click.option("--bandwidth", metavar="RATE", help="At most so much, as 10MiB/s.")
@click.option("--encrypt-to", multiple=True, metavar="KEY", help="Encrypt for this key of the section openpgp.")
@click.option("--retries", default=2, show_default=True, type=click.IntRange(0, 100), help="Further tries of a file.")
@click.option("--no-replace", is_flag=True, help="Fail where a file of that name is there already.")
@_CONFIG
@_DATA
@_FORMAT
@_prints_errors
def copy_files(
    *, source: str, destination: str, include: tuple[str, ...], recursive: bool, resume: bool, bandwidth: str | None,
    encrypt_to: tuple[str, ...], retries: int, no_replace: bool, config: Path | None, data: Path, form: str,
) -> None:  # fmt: skip
    """Copy files between any two endpoints, and verify each.

    SOURCE and DESTINATION are paths of this machine, URLs (file: filestore: sftp: ftp: ftps: s3: http: https:) or
    endpoint:NAME[/FOLDER] of the configuration. A SOURCE that names one file is copied to the name DESTINATION, or into
    it where it is a folder or ends with /; of a folder its files are copied.

    Exit codes: 0 all copied, 1 some failed, 2 usage or configuration, 3 nothing found, 4 an end cannot be reached, 130
    interrupted.
    """
    from crossdock.copying import Request, console

    request = Request(
        source=source, destination=destination, include=include, recursive=recursive, resume=resume,
        bandwidth=console.rate_of(bandwidth), retries=retries, replace=not no_replace,
        encrypt_to=encrypt_to,
    )  # fmt: skip
    sys.exit(console.run(request, config, data.absolute(), _environ(), json_format=form == "json"))


@main.group()
def endpoint() -> None:
    """The places that files are copied from and to."""


@endpoint.command("list")
@_CONFIG
@_FORMAT
@_prints_errors
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
@_CONFIG
@_DATA
@_FORMAT
@_prints_errors
def endpoint_check_one(*, name: str, config: Path | None, data: Path, form: str) -> None:
    """Connect to an endpoint, list it, and say what its far side can do.

    NAME is that of an endpoint in the configuration, or a URL. Shows the host keys of an SFTP server, and what to write
    where to pin one. Exit codes: 0 it can be used, 1 it cannot, 2 usage or configuration.
    """
    from crossdock import endpoint_check

    findings = endpoint_check.check(name, config, data.absolute(), _environ())
    if form == "json":
        click.echo(json.dumps(findings.as_json()))
    else:
        endpoint_check.print_findings(findings, click.echo)
    sys.exit(findings.exit_code)


@main.group()
def deadletter() -> None:
    """Events that a service could not handle."""


@deadletter.command("list")
@click.argument("service", required=False)
@_DATA
@_prints_errors
def deadletter_list(*, service: str | None, data: Path) -> None:
    """List the dead letters of one service or of all.

    Columns: service, id, type, subject, tries, reason.
    """
    from crossdock import deadletters

    for name, letter in deadletters.listing(data.absolute(), _environ(), service):
        columns = (name, letter.id, letter.type, letter.subject, str(letter.attempts), letter.reason)
        click.echo("\t".join(columns))


@deadletter.command("replay")
@click.argument("service")
@click.argument("ids", nargs=-1)
@_DATA
@_prints_errors
def deadletter_replay(*, service: str, ids: tuple[str, ...], data: Path) -> None:
    """Deliver dead letters again: all, or those with IDS."""
    from crossdock import deadletters

    count = deadletters.replay(data.absolute(), _environ(), service, ids or None)
    click.echo(f"{count} delivered again")


@main.group()
def key() -> None:
    """The OpenPGP keys of the configuration's `openpgp` section."""


_CONFIG = click.option("--config", type=_FILE, help="Configuration file.  [default: crossdock.yaml]")
_FORMAT = click.option("--format", "form", default="table", type=click.Choice(["table", "json"]), show_default=True)


@key.command("list")
@_CONFIG
@_FORMAT
@_prints_errors
def key_list(*, config: Path | None, form: str) -> None:
    """List the keys. Exit code 1 when one of them has expired, is revoked, or cannot be used."""
    from crossdock import keys

    sys.exit(keys.show(keys.configured(config, _environ()), form, click.echo))


@key.command("show")
@click.argument("name")
@_CONFIG
@_FORMAT
@_prints_errors
def key_show(*, name: str, config: Path | None, form: str) -> None:
    """Show one key with its parts. Exit code 1 when it cannot be used."""
    from crossdock import keys

    sys.exit(keys.show([keys.named(name, config, _environ())], form, click.echo, parts=True))


@key.command("new")
@click.argument("name")
@click.option("--user-id", required=True, help="Name <name@example.org>")
@click.option("--secret", required=True, type=_FILE, help="File to write the secret key to, for its owner alone.")
@click.option("--public", required=True, type=_FILE, help="File to write the public key to.")
@click.option("--algorithm", default="rsa3072", type=click.Choice(["rsa3072", "rsa4096", "ed25519"]), show_default=True)
@click.option("--years", default=2, type=click.IntRange(1, 20), show_default=True, help="How long it is valid.")
@click.option("--passphrase-file", type=_FILE, help="File with the passphrase; asked for without one.")
@_prints_errors
def key_new(
    *, name: str, user_id: str, secret: Path, public: Path, algorithm: str, years: int, passphrase_file: Path | None
) -> None:
    """Make a key pair, and print what to write into crossdock.yaml."""
    from crossdock import keys

    if passphrase_file is None:
        passphrase = click.prompt("Passphrase", hide_input=True, confirmation_prompt=True)
    else:
        passphrase = passphrase_file.read_text(encoding="utf-8").rstrip("\n")
    wanted = keys.Wanted(name, user_id, passphrase, algorithm, years)
    click.echo(keys.make(wanted, secret, public, passphrase_file))


@key.command("import")
@click.argument("name")
@click.argument("file", type=_FILE)
@_prints_errors
def key_import(*, name: str, file: Path) -> None:
    """Check a key file, and print what to write into crossdock.yaml. Exit code 1 when the key cannot be used."""
    from crossdock import keys

    text, problem = keys.check_file(name, file)
    click.echo(text)
    if problem:
        click.echo(f"crossdock: the key {problem}", err=True)
        sys.exit(1)


@key.command("export")
@click.argument("name")
@click.option("--output", type=_FILE, help="File to write to.  [default: standard output]")
@_CONFIG
@_prints_errors
def key_export(*, name: str, output: Path | None, config: Path | None) -> None:
    """Write the public part of a key, for partners."""
    from crossdock import keys

    text = keys.export(keys.named(name, config, _environ()))
    if output is None:
        click.echo(text, nl=False)
    else:
        keys.write(output, text)


@main.command()
@_DATA
@_prints_errors
def scrub(*, data: Path) -> None:
    """Verify every stored file.

    Lists damaged, missing and orphaned ones. Exit code 1 when there are any.
    """
    from crossdock import scrubbing

    sys.exit(1 if scrubbing.run(data.absolute(), _environ(), click.echo) else 0)


@main.command(hidden=True)
@click.argument("folder", type=_FOLDER)
@click.option("--check", "only_check", is_flag=True, help="Say whether the pages are up to date, and change nothing.")
@_prints_errors
def docs(*, folder: Path, only_check: bool) -> None:
    """Write the generated pages of docs/ anew."""
    from crossdock import pages

    stale = pages.write(folder, only_check=only_check)
    for page in stale:
        click.echo(f"{page} {'is not up to date: run `make docs`' if only_check else 'written'}")
    sys.exit(1 if only_check and stale else 0)
