"""The functions of IDs, and of the presets that new ones are made from; they are refused until they are built."""

from typing import Final

from sertainty_svc.operations.calls import Family, unsupported

FUNCTIONS: Final[Family] = unsupported(
    *("configGetID", "configNewID", "configSaveID", "sharedGetID", "sharedNewID", "sharedSaveID"),
    *("sharedGetPreset", "sharedGetPresetList"),
)
