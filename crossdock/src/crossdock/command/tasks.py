"""The subcommands `task list|show|log|pause|resume`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Final

import click

from crossdock.command.jobs import FORMAT
from crossdock.command.options import DATA, environ, prints_errors

_CONFIGURATION: Final = click.argument("configuration")
_TASK: Final = click.argument("name", metavar="TASK")


@click.group()
def task() -> None:
    """The tasks of Data Protector: show them and their logs, pause and resume them."""


@task.command("list")
@click.argument("configuration", required=False)
@FORMAT
@DATA
@prints_errors
def task_list(*, configuration: str | None, form: str, data: Path) -> None:
    """List the tasks of a configuration, or of all."""
    from crossdock import tasks

    with tasks.opened(data.absolute(), environ()) as access:
        found = access.list_tasks(configuration)
    click.echo(json.dumps([tasks.as_json(one) for one in found]) if form == "json" else tasks.as_table(found))


@task.command("show")
@_CONFIGURATION
@_TASK
@FORMAT
@DATA
@prints_errors
def task_show(*, configuration: str, name: str, form: str, data: Path) -> None:
    """Show a task: its status, its statistics and its definition."""
    from crossdock import tasks

    with tasks.opened(data.absolute(), environ()) as access:
        found = access.find(configuration, name)
    click.echo(json.dumps(tasks.as_json(found)) if form == "json" else tasks.as_text(found))


@task.command("log")
@_CONFIGURATION
@_TASK
@FORMAT
@DATA
@prints_errors
def task_log(*, configuration: str, name: str, form: str, data: Path) -> None:
    """Print the log of a task; with --format json one object a line."""
    from crossdock import tasks

    with tasks.opened(data.absolute(), environ()) as access:
        for entry in access.log(configuration, name):
            click.echo(json.dumps(asdict(entry)) if form == "json" else tasks.entry_text(entry))


@task.command("pause")
@_CONFIGURATION
@_TASK
@DATA
@prints_errors
def task_pause(*, configuration: str, name: str, data: Path) -> None:
    """Let no execution of a task begin, or with '*' of any; one under way ends after its current file."""
    from crossdock import tasks

    with tasks.opened(data.absolute(), environ()) as access:
        access.pause(configuration, name)


@task.command("resume")
@_CONFIGURATION
@_TASK
@DATA
@prints_errors
def task_resume(*, configuration: str, name: str, data: Path) -> None:
    """End the pause of a task, or with '*' of every task."""
    from crossdock import tasks

    with tasks.opened(data.absolute(), environ()) as access:
        access.resume(configuration, name)
