"""The subcommand `agent list`."""

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
