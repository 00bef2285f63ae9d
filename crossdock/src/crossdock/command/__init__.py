"""The `crossdock` command, a module for each subject."""

import click

from crossdock import __version__
from crossdock.command import (
    agents,
    copying,
    deadletters,
    endpoints,
    hub,
    importing,
    jobs,
    keys,
    maintenance,
    monitors,
    mqmft,
    notifications,
    protecting,
    schedules,
    tasks,
    transfers,
)

_COMMANDS = (
    hub.up, hub.init, hub.check, hub.apply, copying.copy_files, endpoints.endpoint, jobs.transaction,
    jobs.job, notifications.notification, agents.agent, transfers.transfer, schedules.schedule, monitors.monitor,
    deadletters.deadletter, importing.import_, mqmft.mqmft, keys.key, protecting.protect,
    protecting.unprotect, protecting.id_, tasks.task, maintenance.scrub, maintenance.docs,
)  # fmt: skip


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """A hub for managed file transfer that speaks four vendors' protocols on one address."""


for _command in _COMMANDS:
    main.add_command(_command)
