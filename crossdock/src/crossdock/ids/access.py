"""Find, make and use IDs: those that a hub stores, and documents in files."""

import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import sqlalchemy as sa

from crossdock import protector
from crossdock.errors import CannotStart, Refused
from crossdock.protector import Protector
from mft_common.clock import now_ms
from mft_common.endpoints.errors import TransferError
from mft_common.transfer.steps.sealed import OpenKey, SealedHeader
from sertainty_svc.domain.functions import SIZES
from sertainty_svc.domain.ids import Recipient
from sertainty_svc.domain.names import is_name
from sertainty_svc.errors import InvalidRequest
from sertainty_svc.operations.ids import Ids
from sertainty_svc.operations.protection import host_key
from sertainty_svc.operations.protection.host_key import HostKey, HostKeyUnusable
from sertainty_svc.operations.protection.issuing import new_id
from sertainty_svc.operations.protection.machine import machine_uuid, this_machine
from sertainty_svc.operations.protection.opening import check_unchanged, opener, usable_for_protect
from sertainty_svc.schemas.machines import read_fingerprints
from sertainty_svc.store import objects
from sertainty_svc.store.objects import SHARED, Key
from sertainty_svc.store.tables import stored_object


class NoSuchId(TransferError):  # noqa: N818 -- the name of a condition
    """The ID that a file was protected to is not known here."""


@contextmanager
def opened(data: Path, environ: Mapping[str, str]) -> Iterator["Access"]:
    """Open what the hub on a data folder knows of IDs; without a hub IDs are files alone."""
    with protector.opened(data, environ, needed=False) as found:
        yield Access(found)


@dataclass(frozen=True)
class Access:
    """The IDs and the key of one hub."""

    hub: Protector

    def find(self, name: str) -> bytes:
        """Return the document of an ID: a file, else a stored one that is named NAME or CONFIGURATION:NAME; Refused.

        A name with a slash is that of a file in any case.
        """
        if "/" in name or Path(name).is_file():
            return _read(Path(name), SIZES["id-contents"])
        if self.hub.stored is None:
            raise Refused(f"there is no file {name}, and no hub that could have an ID of that name")
        configuration, colon, last = name.rpartition(":")
        with self.hub.stored.read() as connection:
            owner = objects.configuration_id(connection, configuration) if colon else SHARED
            found = None if owner is None else objects.find(connection, Key("id", owner, last))
        if found is None:
            kind = f"ID of that name in the configuration {configuration}" if colon else "shared ID of that name"
            raise Refused(f"there is no file {name}, and no {kind}")
        return found

    def recipient(self, contents: bytes) -> Recipient:
        """Return the key that files are protected to; TransferError where the ID cannot be used now.

        One that was changed after it was made is refused where it is for this machine: nobody could open the files.
        """
        recipient = usable_for_protect(contents, now_ms())
        # Without a key of its own a hub can protect to others.
        with suppress(CannotStart, HostKeyUnusable):
            check_unchanged(contents, self._key)
        return recipient

    def opener(self, contents: bytes) -> OpenKey:
        """Return the function that finds the keys of the files of one ID; TransferError where it does not open here."""
        key, machine = self._machine
        return opener(contents, key, machine, now_ms())

    def key_of(self, contents: bytes) -> OpenKey:
        """Return what `opener` does, which asks the rules of the ID again for each file; TransferError as there."""
        self.opener(contents)

        def open_key(header: SealedHeader, wrapped: bytes) -> bytes:
            return self.opener(contents)(header, wrapped)

        return open_key

    def find_key(self, header: SealedHeader, wrapped: bytes) -> bytes:
        """Return the key of a protected file by one of the hub's IDs, an OpenKey."""
        uid = str(uuid.UUID(bytes=header.uid))
        problem: TransferError = NoSuchId(f"was protected to the ID {uid}, which this hub does not have")
        for stored in self._stored(uid):
            if (contents := self._contents(stored)) is None:
                continue
            try:
                return self.opener(contents)(header, wrapped)
            except TransferError as error:
                problem = error
        raise problem

    def check_key(self) -> None:
        """Raise CannotStart where no hub has started on the data folder, HostKeyUnusable where its key is none."""
        _ = self._machine

    def new(self, name: str, fingerprints: Sequence[str], preset: str | None) -> None:
        """Make an ID that the hub stores as NAME or CONFIGURATION:NAME, for the machines of fingerprints; Refused.

        Without fingerprints it is for this machine alone.
        """
        configuration, _, last = name.rpartition(":")
        make = Ids(self.hub.context).new_id
        protector.call(
            make, config_name=configuration or None, id_name=_checked(last), machine_fingerprint=list(fingerprints),
            preset_name=preset,
        )  # fmt: skip

    def issue(self, name: str, fingerprints: Sequence[str], preset: str | None) -> bytes:
        """Return the document of a new ID that the hub does not store; Refused."""
        section = self.hub.section
        wanted = preset or section.new_id_preset
        if wanted not in section.presets:
            raise Refused(f"there is no preset {wanted}")
        try:
            machines = read_fingerprints(list(fingerprints)) or [this_machine(*self._machine)]
            return new_id(_checked(name), machines, section.presets[wanted], kem=section.kem, now_ms=now_ms())[1]
        except InvalidRequest as error:
            raise Refused(error.detail) from error

    @cached_property
    def _key(self) -> HostKey:
        """The key of this machine; CannotStart where no hub has started on the data folder yet."""
        settings = self.hub.settings
        path = host_key.location(settings, self.hub.section)
        if self.hub.stored is None and not path.exists():
            raise CannotStart(f"there is no key of a hub in {settings.data}: name the folder with --data")
        return HostKey.load(path)

    @cached_property
    def _machine(self) -> tuple[HostKey, str]:
        """The key and the UUID of this machine; CannotStart as with `_key`."""
        return self._key, machine_uuid(self.hub.settings.state)

    def _stored(self, uid: str) -> Sequence[Key]:
        """Return the keys of all IDs with that UUID, the shared ones first."""
        if self.hub.stored is None:
            return ()
        c = stored_object.c
        query = sa.select(c.configuration, c.name).where(c.kind == "id", c.uid == uid)
        with self.hub.stored.read() as connection:
            found = connection.execute(query.order_by(c.configuration, c.name)).all()
        return [Key("id", row.configuration, row.name) for row in found]

    def _contents(self, key: Key) -> bytes | None:
        """Return one stored ID; there may be thousands of copies, of which each may have 1 MiB."""
        with self.hub.database.read() as connection:
            return objects.find(connection, key)


def fingerprints(files: Sequence[Path]) -> list[str]:
    """Return the documents of files; Refused for one that is no UTF-8, or larger than an ID may be."""
    try:
        return [_read(file, SIZES["id-contents"]).decode() for file in files]
    except UnicodeDecodeError as error:
        raise Refused("a fingerprint is no UTF-8") from error


def write(path: Path, contents: bytes) -> None:
    """Write a new, durable file that its owner alone can read; one that cannot be written whole is removed."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(contents)
            file.flush()
            os.fsync(file.fileno())
        # The key of what is protected to an ID is nowhere else: its name must survive a crash as well.
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _read(path: Path, most: int) -> bytes:
    """Return the content of a file; Refused where it has more bytes than `most`, of which no more are read."""
    with path.open("rb") as file:
        contents = file.read(most + 1)
    if len(contents) > most:
        raise Refused(f"{path}: has more than {most} bytes")
    return contents


def _checked(name: str) -> str:
    if not is_name(name):
        raise Refused(f"{name!r} cannot be the name of an ID")
    return name
