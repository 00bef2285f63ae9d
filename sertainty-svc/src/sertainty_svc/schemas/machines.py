"""Read and write fingerprints: one Configuration element a machine (10.1)."""

from typing import Final
from xml.etree.ElementTree import Element

from mft_common import xml
from mft_common.hpke import Suite
from mft_common.xml import XmlError
from sertainty_svc.domain.machines import MACHINE_ALGORITHM, Machine, device_id
from sertainty_svc.errors import InvalidRequest
from sertainty_svc.schemas.encodings import from_base64, to_base64

# The leaves of a Device that hold text, with the fields of Machine, in the order of the format.
_LEAVES: Final = (
    *(("Architecture", "architecture"), ("CpuModel", "cpu_model"), ("MachineName", "machine_name")),
    *(("MachineUUID", "uuid"), ("OsName", "os_name"), ("OsVersion", "os_version")),
)
STRING: Final = ("type", "string")
MAX_ELEMENTS: Final = 500_000
# An ID, which has at most 1 MiB, has no room for the machines of more, those that are given twice counted.
MOST_BYTES: Final = 4 << 20
MOST_DEVICES: Final = 10_000


def read_fingerprints(documents: list[str]) -> list[Machine]:
    """Return the machines of fingerprints, each id once; InvalidRequest where one is no fingerprint (99).

    The limits of bytes, elements and devices hold for all documents together.
    """
    machines: dict[str, Machine] = {}
    left, devices = MAX_ELEMENTS, 0
    contents = [document.encode("utf-8") for document in documents]
    if sum(map(len, contents)) > MOST_BYTES:
        raise InvalidRequest(f"the arguments machine-fingerprint have more than {MOST_BYTES} bytes together")
    for one in contents:
        try:
            root = xml.parse(one, max_elements=left)
        except XmlError as error:
            raise InvalidRequest(f"the argument machine-fingerprint: {error}") from error
        left -= sum(1 for _ in root.iter())
        devices += len(root.findall("Device"))
        if devices > MOST_DEVICES:
            raise InvalidRequest(f"more than {MOST_DEVICES} devices are given, for which an ID has too few bytes")
        found = read_configuration(root)
        if not found:
            raise InvalidRequest("the argument machine-fingerprint is no Configuration with a Device")
        for machine in found:
            machines.setdefault(machine.id, machine)
    return list(machines.values())


def read_configuration(element: Element) -> list[Machine]:
    """Return the machine of each Device in a Configuration element; none where it is another element."""
    return [_read_device(device) for device in element.findall("Device")] if element.tag == "Configuration" else []


def write_configuration(machine: Machine) -> Element:
    """Return the Configuration element of a machine."""
    root = Element("Configuration", {"id": machine.configuration_id, "name": xml.text(machine.name)})
    xml.add(root, "Enabled", "true", [("type", "bool")])
    device = xml.add(root, "Device", attributes=[("id", machine.id), ("name", machine.name)])
    for tag, name in _LEAVES:
        xml.add(device, tag, getattr(machine, name), [STRING])
    if machine.public_key is not None:
        xml.add(device, "PublicKey", to_base64(machine.public_key), [STRING, ("algorithm", MACHINE_ALGORITHM)])
    return root


def to_fingerprint(machine: Machine) -> bytes:
    """Return the fingerprint of a machine as a document."""
    return xml.to_bytes(write_configuration(machine))


def _read_device(device: Element) -> Machine:
    values = {name: (device.findtext(tag) or "").strip() for tag, name in _LEAVES}
    key = _read_key(device)
    given = device.get("id", "").strip()
    return Machine(
        id=given or device_id(key or b"", values["uuid"]), name=device.get("name", ""), public_key=key, **values
    )


def _read_key(device: Element) -> bytes | None:
    """Return the public key of a device; None where it has none, several, or one that is no X25519 key."""
    found = device.findall("PublicKey")
    if len(found) != 1 or found[0].get("algorithm") != MACHINE_ALGORITHM:
        return None
    key = from_base64(found[0].text or "")
    return key if key is not None and len(key) == Suite.X25519.public_length else None
