"""The functions of configurations; they are refused until they are built."""

from sertainty_svc.operations.calls import Family, unsupported
from sertainty_svc.operations.context import Context


class Configurations:
    """The functions of configurations."""

    def __init__(self, context: Context) -> None:
        self._context = context

    @property
    def functions(self) -> Family:
        """The functions by their names."""
        return unsupported("configActivate", "configCreate", "configDelete", "configGetList", "configGetStatus")
