"""The functions of tasks and their definitions; they are refused until they are built."""

from typing import Final

from sertainty_svc.operations.calls import Family, unsupported

FUNCTIONS: Final[Family] = unsupported(
    *("configGetTasks", "configSaveTasks", "taskGetLog", "taskGetStatus"),
    *("taskPause", "taskReset", "taskResume"),
)
