"""The functions of scripts; they are refused until they are built."""

from typing import Final

from sertainty_svc.operations.calls import Family, unsupported

FUNCTIONS: Final[Family] = unsupported("configGetScript", "configSaveScript", "sharedGetScript", "sharedSaveScript")
