"""The subcommands `monitor list|create|delete|history`."""

import json
from pathlib import Path
from typing import Final

import click

from crossdock.command.options import DATA, FORMAT, environ, prints_errors

_NAME: Final = click.argument("name")
_AGENT: Final = click.option("--agent", help="The agent that it belongs to, where several have one of that name.")
_QMGR: Final = click.option("--qmgr", help="The queue manager of that agent.")


@click.group()
def monitor() -> None:
    """Resource monitors: folders and queues of agents that are looked at, and begin transfers."""


@monitor.command("list")
@click.option("--name", help="Of this name; * stands for any characters.")
@click.option("--agent", "agentName", help="Of this agent; * stands for any characters.")
@click.option("--state", type=click.Choice(("started", "stopped")), help="In this state.")
@click.option("--type", type=click.Choice(("directory", "queue")), help="Of this type of resource.")
@FORMAT
@DATA
@prints_errors
def monitor_list(*, form: str, data: Path, **filters: str | None) -> None:
    """List the monitors by name."""
    from crossdock import monitors

    given = {name: value for name, value in filters.items() if value is not None}
    with monitors.opened(data.absolute(), environ()) as access:
        found = access.list_monitors(given)
    click.echo(json.dumps(found) if form == "json" else monitors.as_table(found))


@monitor.command("create")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@DATA
@prints_errors
def monitor_create(*, file: Path, data: Path) -> None:
    """Create the monitor of FILE, and print its name.

    FILE holds the body of a POST monitor as JSON; - stands for standard input. Its transfers are those of the account
    `system`.
    """
    from crossdock import monitors
    from crossdock.transfers.requests import read

    with monitors.opened(data.absolute(), environ()) as access:
        click.echo(access.create(read(file)))


@monitor.command("delete")
@_NAME
@_AGENT
@_QMGR
@DATA
@prints_errors
def monitor_delete(*, name: str, agent: str | None, qmgr: str | None, data: Path) -> None:
    """Delete a monitor; transfers that it has begun go on."""
    from crossdock import monitors

    with monitors.opened(data.absolute(), environ()) as access:
        access.delete(name, _place(agent, qmgr))


@monitor.command("history")
@_NAME
@_AGENT
@_QMGR
@click.option("--delete", is_flag=True, required=True, help="Forget which files were seen: each triggers again.")
@DATA
@prints_errors
def monitor_history(*, name: str, agent: str | None, qmgr: str | None, delete: bool, data: Path) -> None:  # noqa: ARG001 -- the flag must be given
    """Let a monitor forget which files it has seen, so that each that is there triggers again."""
    from crossdock import monitors

    with monitors.opened(data.absolute(), environ()) as access:
        access.delete_history(name, _place(agent, qmgr))


def _place(agent: str | None, qmgr: str | None) -> dict[str, str]:
    given = {"agent": agent, "agentQmgr": qmgr}
    return {name: value for name, value in given.items() if value is not None}
