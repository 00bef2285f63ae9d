"""The machine that this hub runs on, as its fingerprint describes it (99)."""

import hashlib
import hmac
import platform
import re
import uuid
from pathlib import Path
from typing import Final

from sertainty_svc.domain.machines import Machine, device_id
from sertainty_svc.operations.protection.first_write import write_first
from sertainty_svc.operations.protection.host_key import HostKey

MACHINE_ID: Final = Path("/etc/machine-id")
# The machine id itself is confidential: other programs of the machine derive keys from it.
_APPLICATION: Final = uuid.UUID("6f0c1f4e-6a0e-4d58-9c1b-1b7a54c1f3d2")
_HEX: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
_CPU: Final = re.compile(r"^(?:model name|Model|Hardware)\s*:\s*(.+)$", re.MULTILINE)


def machine_uuid(state: Path, machine_id: Path = MACHINE_ID) -> str:
    """Return the MachineUUID: from the system's machine id, or a random one kept in the folder `state`."""
    found = _read(machine_id).strip()
    if _HEX.fullmatch(found) and set(found) != {"0"}:
        digest = hmac.digest(_APPLICATION.bytes, bytes.fromhex(found), hashlib.sha256)
        return str(uuid.UUID(bytes=digest[:16], version=4))
    path = state / "machine.uuid"
    write_first(path, f"{uuid.uuid4()}\n".encode())
    return str(uuid.UUID(path.read_text(encoding="ascii").strip()))


def this_machine(host_key: HostKey, uuid_: str) -> Machine:
    """Return this machine, with the public half of its key; the descriptive fields are those of this moment."""
    name = platform.node()
    return Machine(
        id=device_id(host_key.public, uuid_),
        uuid=uuid_,
        name=name,
        architecture=platform.machine(),
        cpu_model=_cpu_model(),
        machine_name=name,
        os_name=platform.system(),
        os_version=platform.release(),
        public_key=host_key.public,
    )


def _cpu_model() -> str:
    match = _CPU.search(_read(Path("/proc/cpuinfo")))
    return match[1].strip() if match else platform.processor()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
