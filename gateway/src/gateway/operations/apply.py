"""Bring the table of accounts to what the configuration says, in one transaction."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import sqlalchemy as sa

from gateway.domain import AccountSpec, Prompt
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


@dataclass(frozen=True)
class Applied:
    """The names of the accounts that were made, changed and removed."""

    made: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Secrets:
    """The hashes an account shall have, and whether they are of other texts than the ones it has."""

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

    Only what differs is written, so that a second start changes nothing. Comparing costs one hash for each password.
    As many threads as there are slots do it, before the transaction: should somebody change accounts meanwhile, it
    begins anew.
    """
    while True:
        with database.read() as connection:
            before = {row.name: row for row in store.everything(connection)}
        with ThreadPoolExecutor(passwords.slots) as threads:
            rows = [before.get(spec.name) for spec in specs]
            secrets = list(threads.map(partial(_secrets, passwords), rows, specs))
        with database.write() as connection:
            advisory_lock(connection, "gateway accounts")
            if {row.name: row for row in store.everything(connection)} != before:
                continue
            changes = _changes(before, specs, secrets, clock())
            _write(connection, changes)
            return Applied(*(tuple(c.row.name for c in changes if c.what == w) for w in (_MADE, _CHANGED, _REMOVED)))


def _secrets(passwords: Passwords, row: Row | None, spec: AccountSpec) -> _Secrets:
    old_prompts = row.prompts if row is not None and row.state != REMOVED else ()
    old_hash = row.password_hash if row is not None else None
    prompts = _prompts(passwords, old_prompts, spec.prompts)
    new_prompts = prompts != old_prompts
    if spec.password is None:
        return _Secrets(None, prompts, old_hash is not None, new_prompts)
    if not passwords.matches(old_hash, spec.password) or old_hash is None:
        return _Secrets(passwords.hash(spec.password), prompts, new_password=True, new_prompts=new_prompts)
    password_hash = passwords.hash(spec.password) if passwords.outdated(old_hash) else old_hash
    return _Secrets(password_hash, prompts, new_password=False, new_prompts=new_prompts)


def _prompts(passwords: Passwords, old: Sequence[HashedPrompt], new: Sequence[Prompt]) -> tuple[HashedPrompt, ...]:
    """Hash the answers that are new, and keep the hashes of the others."""
    known = {prompt.text: prompt for prompt in old}
    return tuple(
        known[prompt.text]
        if prompt.text in known and passwords.matches(known[prompt.text].hash, prompt.answer)
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
    # A hash of the same password under newer parameters is no change that anybody needs to know of.
    same = old is not None and not new_password and replace(row, password_hash=old.password_hash) == old
    if not same:
        row = replace(row, revision=row.revision + 1)
    what = "" if same else _MADE if made else _CHANGED
    return _Change(row, what, close_all=not spec.enabled or new_password, close_prompted=secrets.new_prompts)


def _write(connection: sa.Connection, changes: Sequence[_Change]) -> None:
    """Write all accounts before any session is closed: the order in which everybody locks the two."""
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
