"""The functions of IDs, and of the presets that new ones are made from; they are refused until they are built."""

from sertainty_svc.operations.calls import Family, unsupported
from sertainty_svc.operations.context import Context


class Ids:
    """The functions of IDs and presets."""

    def __init__(self, context: Context) -> None:
        self._context = context

    @property
    def functions(self) -> Family:
        """The functions by their names."""
        return unsupported(
            *("configGetID", "configNewID", "configSaveID", "sharedGetID", "sharedNewID", "sharedSaveID"),
            *("sharedGetPreset", "sharedGetPresetList"),
        )
