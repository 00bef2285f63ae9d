"""The functions of task templates; they are refused until they are built."""

from sertainty_svc.operations.calls import Family, unsupported
from sertainty_svc.operations.context import Context


class Templates:
    """The functions of templates."""

    def __init__(self, context: Context) -> None:
        self._context = context

    @property
    def functions(self) -> Family:
        """The functions by their names."""
        return unsupported("templateGetList", "templateGetTask", "templateSaveTask")
