"""The functions of configurations: create, activate and delete them, and tell their states (38 to 40, 42, 44)."""

from typing import Final

import sqlalchemy as sa

from sertainty_svc.domain.agent import config_status
from sertainty_svc.errors import AlreadyExists, GeneralError, NotFound
from sertainty_svc.operations import agenda, task_changes
from sertainty_svc.operations.calls import Call, Family, listed, succeeded
from sertainty_svc.operations.context import Context
from sertainty_svc.store import agent as agents
from sertainty_svc.store import configurations as store
from sertainty_svc.store import saved_tasks, tasks
from sertainty_svc.wire import Reply

MOST: Final = 1_000
# The end of an execution whose configuration is deleted (73).
DELETED: Final = "ended by deletion of the configuration"


class Configurations:
    """The functions of configurations."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._database = context.database

    @property
    def functions(self) -> Family:
        """The functions by their names."""
        return {
            "configActivate": self.config_activate,
            "configCreate": self.config_create,
            "configDelete": self.config_delete,
            "configGetList": self.config_get_list,
            "configGetStatus": self.config_get_status,
        }

    def config_create(self, call: Call) -> Reply:
        """Add a configuration without tasks; AlreadyExists where the name is taken (39)."""
        name = call.text("config-name")
        with self._database.write() as connection:
            store.lock(connection)
            if store.find(connection, name) is not None:
                raise AlreadyExists
            if store.count(connection) >= MOST:
                raise GeneralError(f"There are {MOST} configurations already; no more can be made.")
            store.insert(connection, name, call.account, self._context.now())
            self._log(connection, call, "config.created", f"The configuration {name} was created.")
        return succeeded()

    def config_activate(self, call: Call) -> Reply:
        """Make a configuration the active one, in place of the former (38, 75)."""
        name = call.text("config-name")
        with self._database.write() as connection:
            id_ = _locked(connection, name)
            if agents.find(connection).active != id_:
                store.activate(connection, id_)
                self._log(connection, call, "config.activated", f"The configuration {name} was activated.")
                agenda.sync(connection, self._context.now())
        return succeeded()

    def config_delete(self, call: Call) -> Reply:
        """Delete a configuration, also the active one, with its IDs, scripts, tasks, statistics and logs (40)."""
        name = call.text("config-name")
        now = self._context.now()
        with self._database.write() as connection:
            id_ = _locked(connection, name)
            gone = tasks.of_configuration(connection, id_)
            task_changes.add_events(connection, gone, "removed", now=now)
            saved_tasks.delete(connection, gone, DELETED)
            store.delete(connection, id_)
            self._log(connection, call, "config.deleted", f"The configuration {name} was deleted.")
            agenda.sync(connection, now)
        return succeeded()

    def config_get_list(self, _call: Call) -> Reply:
        """Return the names of all configurations, sorted (42)."""
        return listed(self._database.query_cached("configurations", store.names))

    def config_get_status(self, call: Call) -> Reply:
        """Return the state of a configuration and that of its tasks (44, 69)."""
        with self._database.read() as connection:
            id_ = store.find(connection, call.text("config-name"))
            if id_ is None:
                raise NotFound
            agent, errors = agents.find(connection), tasks.has_errors(connection, id_)
        status = config_status(agent.status(self._context.now()), active=agent.active == id_)
        return succeeded(status, "Errors" if errors else "Normal")

    def _log(self, connection: sa.Connection, call: Call, event: str, text: str) -> None:
        self._context.log(connection, call, event, text, config=call.text("config-name"))


def _locked(connection: sa.Connection, name: str) -> int:
    """Return the id of a configuration that nobody else changes meanwhile; NotFound where there is none."""
    store.lock(connection)
    id_ = store.find(connection, name)
    if id_ is None:
        raise NotFound
    return id_
