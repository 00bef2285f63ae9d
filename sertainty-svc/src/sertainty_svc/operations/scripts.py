"""The functions of scripts: any bytes, saved and returned as they are (43, 48, 54, 59)."""

from sertainty_svc.operations.calls import Call, Family, succeeded, succeeded_with
from sertainty_svc.operations.context import Context
from sertainty_svc.operations.objects import Objects
from sertainty_svc.wire import Reply


class Scripts:
    """The functions of scripts; an extension without an interpreter is saved too, and fails when a task runs it."""

    def __init__(self, context: Context) -> None:
        self._objects = Objects(context, "script")

    @property
    def functions(self) -> Family:
        """The functions by their names."""
        return {
            "configGetScript": self.get_script,
            "configSaveScript": self.save_script,
            "sharedGetScript": self.get_script,
            "sharedSaveScript": self.save_script,
        }

    def get_script(self, call: Call) -> Reply:
        """Return the script of a configuration itself, or a shared one."""
        return succeeded_with(self._objects.fetch(call))

    def save_script(self, call: Call) -> Reply:
        """Save a script over one of the same name."""
        self._objects.save(call, call.arguments["script-contents"][0])
        return succeeded()
