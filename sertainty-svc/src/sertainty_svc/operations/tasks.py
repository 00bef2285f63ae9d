"""The functions of tasks and their definitions; they are refused until they are built."""

from sertainty_svc.operations.calls import Family, unsupported
from sertainty_svc.operations.context import Context


class Tasks:
    """The functions of tasks."""

    def __init__(self, context: Context) -> None:
        self._context = context

    @property
    def functions(self) -> Family:
        """The functions by their names."""
        return unsupported(
            *("configGetTasks", "configSaveTasks", "taskGetStatus"),
            *("taskPause", "taskReset", "taskResume"),
        )
