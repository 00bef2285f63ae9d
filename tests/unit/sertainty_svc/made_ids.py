"""Machines with their keys, IDs, and the header of a protected file, made for tests."""

import uuid
from xml.etree import ElementTree as ET

from mft_common import hpke
from mft_common.hpke import Suite
from mft_common.transfer.steps.sealed import SealedHeader
from sertainty_svc.operations.protection.host_key import HostKey
from sertainty_svc.operations.protection.issuing import new_id
from sertainty_svc.operations.protection.machine import this_machine
from sertainty_svc.operations.protection.opening import opener, usable_for_protect
from sertainty_svc.schemas.presets import SHIPPED

NOW = 1_780_000_000_000
FILE_KEY = bytes(range(32))


class Host:
    """A machine with its key, MachineUUID and fingerprint."""

    def __init__(self):
        private = hpke.generate()
        self.key = HostKey(private, hpke.public_bytes(Suite.X25519, private))
        self.uuid = str(uuid.uuid4())
        self.machine = this_machine(self.key, self.uuid)

    def open(self, contents, header, wrapped, now=NOW):
        """Return the key of a protected file by an ID, as a task on this machine does."""
        return opener(contents, self.key, self.uuid, now)(header, wrapped)


def issued(*hosts, preset="Unrestricted", kem="x25519", now=NOW):
    """Return the document of a new ID for machines."""
    return new_id("edge.iic", [host.machine for host in hosts], SHIPPED[preset], kem=kem, now_ms=now)[1]


def protected(contents, now=NOW):
    """Return the header and the wrapped key of a file that is protected to an ID."""
    recipient = usable_for_protect(contents, now)
    header = SealedHeader(recipient.uid, Suite(recipient.suite), 10, b"7 bytes")
    return header, header.wrap(recipient.public_key, FILE_KEY)


def edited(contents, path, change):
    """Return a document with one element changed by a function."""
    root = ET.fromstring(contents)
    change(root.find(path))
    return ET.tostring(root)
