"""Make IDs (10.2)."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Final

from mft_common import hpke, xml
from mft_common.hpke import KeyRefused, Suite
from sertainty_svc.domain.functions import SIZES
from sertainty_svc.domain.ids import Definition
from sertainty_svc.domain.machines import Machine
from sertainty_svc.errors import InvalidRequest
from sertainty_svc.schemas.ids import ALGORITHMS, binding, write_definition, write_id
from sertainty_svc.schemas.presets import Preset
from sertainty_svc.schemas.rules import to_date

# An ID that could not be saved at another hub is not made (47).
_MOST_BYTES: Final = SIZES["id-contents"]
# A machine takes more bytes than this in a definition, also without a value.
_LEAST_BYTES_EACH: Final = 300
# The names of the setting `kem`, and the algorithms of the IDs' keys.
KEMS: Final[Mapping[str, str]] = {"x25519": "X25519", "mlkem768-x25519": "MLKEM768-X25519"}


def new_id(name: str, machines: Sequence[Machine], preset: Preset, *, kem: str, now_ms: int) -> tuple[str, bytes]:
    """Return the UUID and the document of a new ID, which opens on `machines` and on no other.

    InvalidRequest where it would have more than 1 MiB: machines that have no room by their number are not written, and
    a definition that is too long costs no encryption. A
    machine without a usable key is in the definition and gets no wrap. The private key of the ID is in the document
    alone, and there only as wraps.
    """
    _check_length(len(machines) * _LEAST_BYTES_EACH)
    algorithm = KEMS[kem]
    private = hpke.generate()
    definition = Definition(
        uid=str(uuid.uuid4()),
        name=name,
        created=to_date(now_ms),
        preset=preset.name,
        rules=preset.rules.issued(now_ms),
        algorithm=algorithm,
        public_key=hpke.public_bytes(ALGORITHMS[algorithm], private),
        machines=tuple(machines),
    )
    element = write_definition(definition)
    _check_length(len(xml.element_to_bytes(element)))
    info = binding(element)
    wraps = {machine.id: _wrap(machine, private, info) for machine in machines}
    contents = write_id(element, {machine: wrap for machine, wrap in wraps.items() if wrap is not None})
    _check_length(len(contents))
    return definition.uid, contents


def _check_length(length: int) -> None:
    if length > _MOST_BYTES:
        raise InvalidRequest(f"an ID for these machines would have more than {_MOST_BYTES} bytes")


def _wrap(machine: Machine, private: bytes, info: bytes) -> bytes | None:
    """Return the private key encrypted to a machine; None where it has no key, or one that leads to no secret."""
    if machine.public_key is None:
        return None
    try:
        return hpke.encrypt(Suite.X25519, machine.public_key, private, info)
    except KeyRefused:
        return None
