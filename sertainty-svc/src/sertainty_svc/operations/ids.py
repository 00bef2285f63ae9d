"""The functions of IDs, of the presets that new ones are made from, and of this machine's fingerprint."""

from sertainty_svc.domain.machines import Machine
from sertainty_svc.errors import GeneralError, NotFound
from sertainty_svc.operations.calls import Call, Family, succeeded, succeeded_with
from sertainty_svc.operations.context import Context
from sertainty_svc.operations.objects import Objects
from sertainty_svc.operations.protection import host_key
from sertainty_svc.operations.protection.host_key import HostKey, HostKeyUnusable
from sertainty_svc.operations.protection.issuing import new_id
from sertainty_svc.operations.protection.machine import machine_uuid, this_machine
from sertainty_svc.schemas.configuration import Section
from sertainty_svc.schemas.ids import read_uid
from sertainty_svc.schemas.machines import read_fingerprints, to_fingerprint
from sertainty_svc.schemas.presets import Preset, read_preset
from sertainty_svc.wire import Reply


class Ids:
    """The functions of IDs, presets and the fingerprint."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._objects = Objects(context, "id")

    @property
    def functions(self) -> Family:
        """The functions by their names."""
        return {
            "configGetID": self.get_id,
            "configNewID": self.new_id,
            "configSaveID": self.save_id,
            "hostGetMachine": self.host_get_machine,
            "sharedGetID": self.get_id,
            "sharedGetPreset": self.shared_get_preset,
            "sharedGetPresetList": self.shared_get_preset_list,
            "sharedNewID": self.new_id,
            "sharedSaveID": self.save_id,
        }

    def host_get_machine(self, _call: Call) -> Reply:
        """Return the fingerprint of this machine (51)."""
        return succeeded_with(to_fingerprint(self._machine(self._section())))

    def get_id(self, call: Call) -> Reply:
        """Return the ID of a configuration itself, or a shared one (41, 53)."""
        return succeeded_with(self._objects.fetch(call))

    def save_id(self, call: Call) -> Reply:
        """Save any bytes as an ID; they are checked when a task uses them (47, 58)."""
        (contents,) = call.arguments["id-contents"]
        self._objects.save(call, contents, read_uid(contents))
        return succeeded()

    def new_id(self, call: Call) -> Reply:
        """Make an ID for the given machines, for this one where none is given, by a preset (46, 57)."""
        machines = read_fingerprints(call.arguments["machine-fingerprint"])
        given = [read_preset(document.encode()) for document in call.arguments.get("preset-contents", ())]
        self._objects.check_new(call)
        section = self._section()
        preset = given[0] if given else _preset(section, *call.arguments.get("preset-name", [section.new_id_preset]))
        (name,) = call.arguments["id-name"]
        now = self._context.now()
        uid, contents = new_id(name, machines or [self._machine(section)], preset, kem=section.kem, now_ms=now)
        self._objects.insert(call, contents, uid)
        return succeeded()

    def shared_get_preset(self, call: Call) -> Reply:
        """Return a preset (55)."""
        return succeeded_with(_preset(self._section(), *call.arguments["preset-name"]).contents)

    def shared_get_preset_list(self, _call: Call) -> Reply:
        """Return the names of the presets in their order (56)."""
        return succeeded(*sorted(self._section().presets))

    def _section(self) -> Section:
        with self._context.database.read() as connection:
            return self._context.section(connection)

    def _machine(self, section: Section) -> Machine:
        settings = self._context.settings
        try:
            key = HostKey.load(host_key.location(settings, section))
            return this_machine(key, machine_uuid(settings.state))
        except (HostKeyUnusable, OSError, ValueError) as error:
            raise GeneralError("The key of this hub cannot be read; its operator has to look at it.") from error


def _preset(section: Section, name: str) -> Preset:
    preset = section.presets.get(name)
    if preset is None:
        raise NotFound("there is no such preset")
    return preset
