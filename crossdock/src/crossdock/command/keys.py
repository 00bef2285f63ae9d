"""The subcommands `key list|show|new|import|export`."""

import sys
from pathlib import Path

import click

from crossdock.command.options import CONFIG, FILE, environ, prints_errors

_FORMAT = click.option("--format", "form", default="table", type=click.Choice(["table", "json"]), show_default=True)


@click.group()
def key() -> None:
    """The OpenPGP keys of the configuration's `openpgp` section."""


@key.command("list")
@CONFIG
@_FORMAT
@prints_errors
def key_list(*, config: Path | None, form: str) -> None:
    """List the keys. Exit code 1 when one of them has expired, is revoked, or cannot be used."""
    from crossdock import keys

    sys.exit(keys.show(keys.configured(config, environ()), form, click.echo))


@key.command("show")
@click.argument("name")
@CONFIG
@_FORMAT
@prints_errors
def key_show(*, name: str, config: Path | None, form: str) -> None:
    """Show one key with its parts. Exit code 1 when it cannot be used."""
    from crossdock import keys

    sys.exit(keys.show([keys.named(name, config, environ())], form, click.echo, parts=True))


@key.command("new")
@click.argument("name")
@click.option("--user-id", required=True, help="Name <name@example.org>")
@click.option("--secret", required=True, type=FILE, help="File to write the secret key to, for its owner alone.")
@click.option("--public", required=True, type=FILE, help="File to write the public key to.")
@click.option("--algorithm", default="rsa3072", type=click.Choice(["rsa3072", "rsa4096", "ed25519"]), show_default=True)
@click.option("--years", default=2, type=click.IntRange(1, 20), show_default=True, help="How long it is valid.")
@click.option("--passphrase-file", type=FILE, help="File with the passphrase; asked for without one.")
@prints_errors
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
@click.argument("file", type=FILE)
@prints_errors
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
@click.option("--output", type=FILE, help="File to write to.  [default: standard output]")
@CONFIG
@prints_errors
def key_export(*, name: str, output: Path | None, config: Path | None) -> None:
    """Write the public part of a key, for partners."""
    from crossdock import keys

    text = keys.export(keys.named(name, config, environ()))
    if output is None:
        click.echo(text, nl=False)
    else:
        keys.write(output, text)
