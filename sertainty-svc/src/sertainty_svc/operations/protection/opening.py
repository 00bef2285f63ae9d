"""Use IDs: find out whether files may be protected to one, and open files that were (89, 90, 101).

The rules are checked before any key is used.
"""

import uuid
from collections.abc import Callable
from typing import Protocol

from mft_common import hpke
from mft_common.hpke import NotDecrypted
from sertainty_svc.domain.ids import (
    Definition,
    IdDocument,
    IdUnusable,
    NotForThisId,
    NotForThisMachine,
    Recipient,
    RuleBreached,
)
from sertainty_svc.domain.machines import Machine
from sertainty_svc.domain.rules import RuleName, Rules
from sertainty_svc.operations.protection.host_key import HostKey
from sertainty_svc.schemas.ids import ALGORITHMS, read_id


class Header(Protocol):
    """The part of a protected file's header that finds its key; mft_common.transfer.steps.sealed has it."""

    @property
    def uid(self) -> bytes:
        """The UUID of the ID that the file was protected to."""
        ...

    @property
    def suite(self) -> int:
        """The suite of the wrapped key."""
        ...

    def unwrap(self, private_key: bytes, wrapped: bytes, /) -> bytes:
        """Return the file key; a TransferError where the header was changed or is not for this private key."""
        ...


OpenKey = Callable[[Header, bytes], bytes]


def usable_for_protect(contents: bytes, now_ms: int) -> Recipient:
    """Return the key that files are protected to with an ID; this machine need not be one of the ID's.

    IdUnusable where the contents are no ID or nobody could open the files, RuleBreached where a rule forbids it now.
    """
    document = read_id(contents)
    definition = document.definition
    _check_time(definition.rules, now_ms)
    if not any(machine.public_key and machine.id in document.wraps for machine in definition.machines):
        raise IdUnusable("the ID cannot be used: it has no machine with a public key")
    suite = ALGORITHMS[definition.algorithm]
    return Recipient(uid=uuid.UUID(definition.uid).bytes, suite=suite, public_key=definition.public_key)


def check_unchanged(contents: bytes, host_key: HostKey) -> None:
    """Raise IdUnusable for an ID of this machine that does not open here, because it was changed after it was made.

    Nobody could open what is protected to it, and its rules may be others than those it was made with. A machine with a
    key has had a wrap. Of an ID that does not name this machine nothing of this can be known.
    """
    document = read_id(contents)
    if any(machine.public_key == host_key.public for machine in document.definition.machines):
        try:
            _private_key(document, _with_key(document, host_key.public), host_key)
        except NotForThisMachine as error:
            raise IdUnusable("the ID cannot be used: it was changed after it was made") from error


def opener(contents: bytes, host_key: HostKey, machine_uuid: str, now_ms: int) -> OpenKey:
    """Return the function that finds the file key of a protected file by its header and wrapped key.

    IdUnusable, RuleBreached and NotForThisMachine are raised here; the function raises NotForThisId for a file of
    another ID, and what `Header.unwrap` raises for a wrapped key that was changed.
    """
    document = read_id(contents)
    _check_time(document.definition.rules, now_ms)
    machines = _own_machines(document, host_key.public)
    if document.definition.rules.hardware_deny:
        machines = [machine for machine in machines if machine.uuid.lower() == machine_uuid.lower()]
        if not machines:
            raise RuleBreached(RuleName.HARDWARE_DENY)
    definition = document.definition
    private = _private_key(document, machines, host_key)
    suite, uid = ALGORITHMS[definition.algorithm], uuid.UUID(definition.uid).bytes

    def open_key(header: Header, wrapped: bytes) -> bytes:
        if header.uid != uid or header.suite != suite:
            raise NotForThisId("the file was protected to another ID")
        return header.unwrap(private, wrapped)

    return open_key


def _check_time(rules: Rules, now_ms: int) -> None:
    if rules.expiration is not None and now_ms > rules.expiration:
        raise RuleBreached(RuleName.EXPIRATION)
    if rules.schedule_deny and rules.window is not None and not rules.window.is_open(now_ms, rules.zone):
        raise RuleBreached(RuleName.SCHEDULE_DENY)


def _own_machines(document: IdDocument, public_key: bytes) -> list[Machine]:
    found = _with_key(document, public_key)
    if not found:
        raise NotForThisMachine("the ID was not made for this machine")
    return found


def _with_key(document: IdDocument, public_key: bytes) -> list[Machine]:
    """Return the machines of an ID with this machine's key and a wrap: its key decides, not what it is called."""
    machines = document.definition.machines
    return [machine for machine in machines if machine.public_key == public_key and machine.id in document.wraps]


def _private_key(document: IdDocument, machines: list[Machine], host_key: HostKey) -> bytes:
    """Return the private key of an ID, which is that of the public key in its definition."""
    for machine in machines:
        try:
            private = host_key.decrypt(document.wraps[machine.id], document.info)
        except NotDecrypted:
            continue
        if _belongs(private, document.definition):
            return private
    raise NotForThisMachine("the ID does not open on this machine: it was changed after it was made")


def _belongs(private: bytes, definition: Definition) -> bool:
    return (
        len(private) == hpke.PRIVATE_KEY
        and hpke.public_bytes(ALGORITHMS[definition.algorithm], private) == definition.public_key
    )
