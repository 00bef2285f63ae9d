"""Show the logs of the agent and of tasks: agentGetLog, taskGetLog (32, 60)."""

from sertainty_svc.errors import NotFound
from sertainty_svc.operations.calls import Call, Family, succeeded_with
from sertainty_svc.operations.context import Context
from sertainty_svc.schemas import logs as schema
from sertainty_svc.store import logs, tasks
from sertainty_svc.wire import Reply


class Logs:
    """The functions of logs, which are rendered from their rows at each call."""

    def __init__(self, context: Context) -> None:
        self._context = context

    @property
    def functions(self) -> Family:
        """The functions by their names."""
        return {"agentGetLog": self.agent_get_log, "taskGetLog": self.task_get_log}

    def agent_get_log(self, _call: Call) -> Reply:
        """Return the whole log of the latest start of the agent, also while it is offline (32, 74)."""
        with self._context.database.read() as connection:
            found = logs.latest(connection)
        return succeeded_with(schema.agent_log(found))

    def task_get_log(self, call: Call) -> Reply:
        """Return the log of a task; NotFound where the configuration or the task is not there, or for `*` (60)."""
        (configuration,), (name,) = call.arguments["config-name"], call.arguments["task-name"]
        with self._context.database.read() as connection:
            task = tasks.by_names(connection, configuration, name)
            if task is None:
                raise NotFound
            found = logs.of_task(connection, task)
        return succeeded_with(schema.task_log(found))
