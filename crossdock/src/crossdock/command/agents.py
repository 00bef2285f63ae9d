"""The subcommands of `agent`."""

import json
from pathlib import Path

import click

from crossdock.command.jobs import FORMAT
from crossdock.command.options import DATA, environ, prints_errors


@click.group()
def agent() -> None:
    """The agents between which IBM MQ MFT transfers files."""


@agent.command("list")
@FORMAT
@DATA
@prints_errors
def agent_list(*, form: str, data: Path) -> None:
    """List the agents, each with its state, the time of its last probe, and why it cannot be used."""
    from crossdock import agents

    found = agents.listing(data.absolute(), environ())
    click.echo(json.dumps(agents.as_json(found)) if form == "json" else agents.as_table(found))


@agent.command("stop")
@click.argument("name")
@DATA
@prints_errors
def agent_stop(*, name: str, data: Path) -> None:
    """Let no transfer begin from or to an agent; those that run go on to their end, and others wait."""
    from crossdock import agents

    agents.stop(data.absolute(), environ(), name)
    click.echo(f"{name.upper()} is stopped", err=True)


@agent.command("start")
@click.argument("name")
@DATA
@prints_errors
def agent_start(*, name: str, data: Path) -> None:
    """Let the transfers that wait for an agent begin."""
    from crossdock import agents

    agents.start(data.absolute(), environ(), name)
    click.echo(f"{name.upper()} is started", err=True)
