"""Bring the table of accounts to the configuration, in one transaction."""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import sqlalchemy as sa

from gateway.domain import AccountSpec, Prompt
from gateway.operations import fingerprints
from gateway.operations.fingerprints import Fingerprints
from gateway.operations.passwords import Passwords
from gateway.store import accounts as store
from gateway.store import sessions
from gateway.store.accounts import HashedPrompt, Row
from gateway.store.tables import DISABLED, ENABLED, OUTBOX, REMOVED
from mft_common.clock import Clock
from mft_common.database import Database, advisory_lock
from mft_common.events.catalogue import AccountChanged

_MADE: Final = "made"
_CHANGED: Final = "changed"
_REMOVED: Final = "removed"
_FINGERPRINTS: Final = "secret fingerprints"


@dataclass(frozen=True)
class Applied:
    """The names of the accounts that were made, changed and removed."""

    made: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Secrets:
    """The hashes of an account's secrets, and whether the secrets differ from the stored ones."""

    password_hash: str | None
    prompts: tuple[HashedPrompt, ...]
    new_password: bool
    new_prompts: bool


@dataclass(frozen=True)
class _Change:
    row: Row
    what: str
    close_all: bool
    close_prompted: bool


def apply(database: Database, passwords: Passwords, clock: Clock, specs: Sequence[AccountSpec]) -> Applied:
    """Make, change and remove accounts until there are exactly those of `specs`.

    Only differences are written, so that a second start changes nothing; it costs one hash for each group of accounts.
    A group with a changed, new or removed account costs one for each of its secrets, and one more for each that is new.
    As many threads as there are slots hash, before the transaction; it begins anew where accounts were changed
    meanwhile.
    """
    while True:
        with database.read() as connection:
            before = {row.name: row for row in store.fetch_all(connection)}
            stored = _stored_fingerprints(connection)
        with ThreadPoolExecutor(passwords.slots) as threads:
            secrets, current = _hash(threads, passwords, before, stored, specs)
        with database.write() as connection:
            advisory_lock(connection, "gateway accounts")
            if {row.name: row for row in store.fetch_all(connection)} != before:
                continue
            changes = _changes(before, specs, secrets, clock())
            _write(connection, changes)
            if current != stored:
                store.put_value(connection, _FINGERPRINTS, json.dumps(current).encode())
            return Applied(*(tuple(c.row.name for c in changes if c.what == w) for w in (_MADE, _CHANGED, _REMOVED)))


def _stored_fingerprints(connection: sa.Connection) -> Fingerprints:
    stored = store.key_value(connection, _FINGERPRINTS)
    found: Fingerprints = {} if stored is None else json.loads(stored)
    return found


def _hash(
    threads: Executor,
    passwords: Passwords,
    before: Mapping[str, Row],
    stored: Fingerprints,
    specs: Sequence[AccountSpec],
) -> tuple[list[_Secrets], Fingerprints]:
    """Return the hashes of each account's secrets, and the fingerprints of all groups."""
    groups = fingerprints.by_group(specs)
    same = dict(zip(groups, threads.map(partial(_unchanged, passwords, stored, groups), groups), strict=True))
    secrets = threads.map(
        lambda spec: _secrets(passwords, before.get(spec.name), spec, same=same[fingerprints.group_of(spec.name)]),
        specs,
    )
    made = threads.map(
        lambda group: stored[group] if same[group] else fingerprints.make(passwords, groups[group]), groups
    )
    return list(secrets), dict(zip(groups, made, strict=True))


def _unchanged(
    passwords: Passwords, stored: Fingerprints, groups: Mapping[str, Sequence[AccountSpec]], group: str
) -> bool:
    fingerprint = stored.get(group)
    if fingerprint is None or passwords.outdated(fingerprint):
        return False
    return fingerprints.matches(passwords, fingerprint, groups[group])


def _secrets(passwords: Passwords, row: Row | None, spec: AccountSpec, *, same: bool) -> _Secrets:
    """Return the hashes of an account; `same` says that its secrets are known to be those of the stored hashes."""
    if row is None or row.state == REMOVED:
        hashed = None if spec.password is None else passwords.hash(spec.password)
        return _Secrets(hashed, _prompts(passwords, (), spec.prompts, same=False), new_password=True, new_prompts=True)
    prompts = _prompts(passwords, row.prompts, spec.prompts, same=same)
    new_prompts = prompts != row.prompts
    if spec.password is None:
        return _Secrets(None, prompts, row.password_hash is not None, new_prompts)
    if row.password_hash is None or not (same or passwords.matches(row.password_hash, spec.password)):
        return _Secrets(passwords.hash(spec.password), prompts, new_password=True, new_prompts=new_prompts)
    outdated = passwords.outdated(row.password_hash)
    hashed = passwords.hash(spec.password) if outdated else row.password_hash
    return _Secrets(hashed, prompts, new_password=False, new_prompts=new_prompts)


def _prompts(
    passwords: Passwords, old: Sequence[HashedPrompt], new: Sequence[Prompt], *, same: bool
) -> tuple[HashedPrompt, ...]:
    """Return the hashes of all answers; only new answers are hashed."""
    known = {prompt.text: prompt for prompt in old}
    return tuple(
        known[prompt.text]
        if prompt.text in known and (same or passwords.matches(known[prompt.text].hash, prompt.answer))
        else HashedPrompt(text=prompt.text, hash=passwords.hash(prompt.answer))
        for prompt in new
    )


def _changes(
    before: Mapping[str, Row], specs: Sequence[AccountSpec], secrets: Sequence[_Secrets], now: int
) -> list[_Change]:
    changes = [
        change
        for spec, hashes in zip(specs, secrets, strict=True)
        if (change := _change(before.get(spec.name), spec, hashes, now)) is not None
    ]
    wanted = {spec.name for spec in specs}
    for row in before.values():
        if row.name not in wanted and row.state != REMOVED:
            gone = replace(row, state=REMOVED, password_hash=None, grants="{}", prompts=(), revision=row.revision + 1)
            changes.append(_Change(gone, _REMOVED, close_all=True, close_prompted=True))
    return changes


def _change(old: Row | None, spec: AccountSpec, secrets: _Secrets, now: int) -> _Change | None:
    made = old is None or old.state == REMOVED
    new_password = made or secrets.new_password
    row = Row(
        name=spec.name,
        contact=spec.contact,
        state=ENABLED if spec.enabled else DISABLED,
        expired=spec.expired,
        password_hash=secrets.password_hash,
        password_changed_at=now if old is None or new_password else old.password_changed_at,
        grants=store.dump_grants(spec.grants),
        prompts=secrets.prompts,
        revision=0 if old is None else old.revision,
        number=0 if old is None else old.number,
    )
    if row == old:
        return None
    # A hash of the same password with newer parameters is no change of the account.
    same = old is not None and not new_password and replace(row, password_hash=old.password_hash) == old
    if not same:
        row = replace(row, revision=row.revision + 1)
    what = "" if same else _MADE if made else _CHANGED
    # A new account has no sessions, and one that was removed lost its own then.
    close_all = not made and (not spec.enabled or new_password)
    return _Change(row, what, close_all=close_all, close_prompted=not made and secrets.new_prompts)


def _write(connection: sa.Connection, changes: Sequence[_Change]) -> None:
    """Write all accounts before any session is closed: every transaction locks the two in this order."""
    for change in changes:
        store.save(connection, change.row)
    for change in changes:
        if change.close_all:
            sessions.close_account(connection, change.row.name)
        elif change.close_prompted:
            sessions.close_account(connection, change.row.name, "sertainty-svc")
    OUTBOX.add(
        connection,
        *(AccountChanged(name=c.row.name, revision=c.row.revision, what=c.what) for c in changes if c.what),
    )
