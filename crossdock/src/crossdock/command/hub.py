"""The subcommands that start and configure a hub: `up`, `init`, `check`, `apply`."""

import sys
from pathlib import Path

import click

from crossdock import demo as demo_content
from crossdock import secrets_folder
from crossdock.command.options import FILE, FOLDER, environ, prints_errors


@click.command()
@click.option("--demo", is_flag=True, help="Published accounts and sample files, on loopback alone.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="HTTP port.")
@click.option("--https-port", type=click.IntRange(0, 65535), help="HTTPS port as well.")
@click.option("--data", default="./data", show_default=True, type=FOLDER, help="Everything is kept below this folder.")
@click.option("--config", type=FILE, help="Configuration file.  [default: crossdock.yaml, where there is one]")
@click.option("--workers", default=2, show_default=True, type=click.IntRange(1, 64), help="Web processes.")
@prints_errors
def up(
    *, demo: bool, host: str, port: int, https_port: int | None, data: Path, config: Path | None, workers: int
) -> None:
    """Start the hub on this machine and stay in the foreground."""
    from crossdock.up import Options, start

    options = Options(
        data=data.absolute(), host=host, port=port, https_port=https_port, workers=workers, demo=demo, config=config
    )
    sys.exit(start(options, environ()))


@click.command()
@click.option("--data", required=True, type=FOLDER)
@click.option("--secrets", required=True, type=FOLDER)
@prints_errors
def init(*, data: Path, secrets: Path) -> None:
    """Make the secrets of many containers.

    With MFT_DEMO=1 the files of the demo as well.
    """
    secrets_folder.ensure(secrets)
    data.mkdir(parents=True, exist_ok=True)
    if environ().get("MFT_DEMO") == "1":
        demo_content.lay_out(data)


@click.command()
@click.argument("file", type=FILE)
@prints_errors
def check(*, file: Path) -> None:
    """Validate a configuration file as a whole, and change nothing."""
    from crossdock import configuration, environment, sections

    checked = environment.of_a_check(environ())
    document, reader = configuration.read(file, checked, demo=False)
    configuration.validate(document, reader, checked)
    for key in sections.unused(document):
        click.echo(f"{key}: has no effect yet", err=True)
    click.echo(f"{file}: fine")


@click.command()
@click.argument("file", type=FILE)
@click.option("--data", default="./data", show_default=True, type=FOLDER, help="The hub's data folder.")
@prints_errors
def apply(*, file: Path, data: Path) -> None:
    """Apply another configuration to the running hub."""
    from crossdock import applying

    applying.ask(data.absolute(), file)
    click.echo(f"{file}: applied")
