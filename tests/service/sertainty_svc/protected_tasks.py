"""Machines with their keys, and IDs for them, as orders of executions hold them."""

import base64
import time
import uuid
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from mft_common.hpke import Suite
from mft_common.transfer.steps.sealed import Metadata, Seal
from sertainty_svc.domain.windows import Edge, Window
from sertainty_svc.operations.protection.host_key import HostKey
from sertainty_svc.operations.protection.issuing import new_id
from sertainty_svc.operations.protection.machine import this_machine
from sertainty_svc.operations.protection.opening import usable_for_protect
from sertainty_svc.schemas.ids import read_id
from sertainty_svc.schemas.presets import SHIPPED


def now_ms():
    return time.time_ns() // 1_000_000


def uid_of(contents):
    """Return the UUID of an ID."""
    return read_id(contents).definition.uid


class Machine:
    """A machine with a key, and an ID that opens on it alone."""

    def __init__(self, folder: Path, kem: str) -> None:
        self.path = folder / f"{uuid.uuid4()}.key"
        private = X25519PrivateKey.generate()
        pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        self.path.write_bytes(private.private_bytes(*pem))
        self.uuid = str(uuid.uuid4())
        self.machine = this_machine(HostKey.load(self.path), self.uuid)
        self.contents = new_id("edge.iic", [self.machine], SHIPPED["Unrestricted"], kem=kem, now_ms=now_ms())[1]

    @property
    def in_base64(self):
        """The ID as messages hold it."""
        return base64.b64encode(self.contents).decode()

    def order(self, *, named=True):
        """Return what an order has of the machine, and of the ID where the task names it."""
        found = {"machine_uuid": self.uuid, "host_key": str(self.path)}
        return {**found, "id_contents": self.in_base64} if named else found

    def seal(self, name, content):
        """Return a protected file with any name in its metadata."""
        recipient = usable_for_protect(self.contents, now_ms())
        # A name that the step refuses is put in place of one of the same length afterwards: by another program.
        seal = Seal(
            recipient.uid, Suite(recipient.suite), recipient.public_key, UncheckedMetadata(name, len(content), None, 0)
        )
        return b"".join([*seal.feed(content), *seal.finish()])


class UncheckedMetadata(Metadata):
    """The metadata of another program, which writes any name."""

    def encode(self):
        """Return the metadata."""
        plain = replace(self, name="x" * len(self.name))
        return Metadata(**vars(plain)).encode().replace(plain.name.encode(), self.name.encode())


class Machines:
    """This machine and another one."""

    def __init__(self, folder: Path, kem: str = "x25519") -> None:
        self.folder = folder
        self.here, self.other = Machine(folder, kem), Machine(folder, kem)

    def issue(self, *machines, preset="Unrestricted", now=None, **rules):
        """Return a new ID for machines with the rules of a preset, or others."""
        chosen = SHIPPED[preset]
        chosen = replace(chosen, rules=replace(chosen.rules, **rules))
        found = [one.machine for one in machines]
        return new_id("edge.iic", found, chosen, kem="x25519", now_ms=now or now_ms())[1]

    def keyless(self):
        """Return an ID that no machine can open."""
        return new_id(
            "edge.iic", [replace(self.here.machine, public_key=None)], SHIPPED["Unrestricted"], kem="x25519", now_ms=1
        )[1]

    def expired(self):
        """Return an ID of this machine that has expired."""
        return self.issue(self.here, expiration=1_000_000_000_000)

    def closed(self):
        """Return an ID of this machine whose window is over since long."""
        end = Edge(day=1, month=1, year=2001)
        return self.issue(self.here, schedule_deny=True, window=Window(start=end, end=end))

    def bound_elsewhere(self):
        """Return an ID of this machine's key that names another MachineUUID, and is bound to it."""
        moved = replace(self.here.machine, uuid=str(uuid.uuid4()))
        chosen = SHIPPED["Hardware bound"]
        return new_id("edge.iic", [moved], chosen, kem="x25519", now_ms=now_ms())[1]


@pytest.fixture
def machines(tmp_path):
    """Return two machines."""
    return Machines(tmp_path)
