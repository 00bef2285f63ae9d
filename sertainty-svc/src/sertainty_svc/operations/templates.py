"""The functions of task templates; they are refused until they are built."""

from typing import Final

from sertainty_svc.operations.calls import Family, unsupported

FUNCTIONS: Final[Family] = unsupported("templateGetList", "templateGetTask", "templateSaveTask")
