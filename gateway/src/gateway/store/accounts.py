"""Read and write the rows of accounts."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from gateway.store.tables import ENABLED, accounts, key_values


@dataclass(frozen=True, kw_only=True)
class HashedPrompt:
    """A question of an account and the hash of its answer."""

    text: str
    hash: str


@dataclass(frozen=True, kw_only=True)
class Row:
    """An account as it is stored; `grants` is JSON in one spelling, so that equal grants are equal texts."""

    name: str
    contact: str
    state: str
    expired: bool
    password_hash: str | None
    password_changed_at: int
    grants: str
    prompts: tuple[HashedPrompt, ...]
    revision: int
    number: int = 0

    @property
    def enabled(self) -> bool:
        """True when the account may be used at all."""
        return self.state == ENABLED

    def grant(self, key: str) -> Mapping[str, Any] | None:
        """Return the grant under a section's name, None where there is none."""
        found: Mapping[str, Any] | None = json.loads(self.grants).get(key)
        return found

    def public(self) -> tuple[Any, ...]:
        """Return the columns that an account is built from, in the order of a look-up."""
        return self.name, self.contact, self.number, self.grants, self.revision, self.password_changed_at, self.expired


def dump_grants(grants: Mapping[str, Any]) -> str:
    """Write grants in their one spelling."""
    return json.dumps(grants, sort_keys=True, separators=(",", ":"))


def _row(found: sa.Row[Any]) -> Row:
    values = dict(found._mapping)  # noqa: SLF001 -- SQLAlchemy's public name for it
    values["prompts"] = tuple(HashedPrompt(**prompt) for prompt in json.loads(values["prompts"]))
    return Row(**values)


def find(connection: sa.Connection, name: str) -> Row | None:
    """Return an account by its exact name, in any state."""
    found = connection.execute(sa.select(accounts).where(accounts.c.name == name)).one_or_none()
    return None if found is None else _row(found)


def fetch_all(connection: sa.Connection) -> Sequence[Row]:
    """Return all accounts in the order of their numbers, removed ones too."""
    return [_row(found) for found in connection.execute(sa.select(accounts).order_by(accounts.c.number))]


def save(connection: sa.Connection, row: Row) -> None:
    """Write a new account, or all of an old one; an account without a number is new."""
    values = {
        "name": row.name,
        "contact": row.contact,
        "state": row.state,
        "expired": row.expired,
        "password_hash": row.password_hash,
        "password_changed_at": row.password_changed_at,
        "grants": row.grants,
        "prompts": json.dumps([{"text": prompt.text, "hash": prompt.hash} for prompt in row.prompts]),
        "revision": row.revision,
    }
    if row.number:
        connection.execute(sa.update(accounts).where(accounts.c.number == row.number).values(values))
    else:
        connection.execute(sa.insert(accounts).values(values))


def lock_account(connection: sa.Connection, name: str) -> Row | None:
    """Return an account that is enabled, and lock it against changes until this transaction ends."""
    query = sa.select(accounts).where(accounts.c.name == name, accounts.c.state == ENABLED)
    found = connection.execute(query.with_for_update(read=True)).one_or_none()
    return None if found is None else _row(found)


def rehash(connection: sa.Connection, name: str, old: str, new: str) -> None:
    """Replace a password's hash by another hash of the same password, unless the password was changed meanwhile."""
    same = sa.and_(accounts.c.name == name, accounts.c.password_hash == old)
    connection.execute(sa.update(accounts).where(same).values(password_hash=new))


def key_value(connection: sa.Connection, name: str) -> bytes | None:
    """Return the value that is stored under `name`, None where there is none."""
    found = connection.execute(sa.select(key_values.c.value).where(key_values.c.name == name)).scalar()
    return None if found is None else bytes(found)


def put_value(connection: sa.Connection, name: str, value: bytes) -> None:
    """Store `value` under `name`, in place of any former one."""
    get_or_create(connection, name, value)
    connection.execute(sa.update(key_values).where(key_values.c.name == name).values(value=value))


def get_or_create(connection: sa.Connection, name: str, fresh: bytes) -> bytes:
    """Return the value that is stored under `name`; where there is none, `fresh` is stored and returned."""
    connection.execute(
        sa.text("INSERT INTO key_values (name, value) VALUES (:name, :value) ON CONFLICT (name) DO NOTHING"),
        {"name": name, "value": fresh},
    )
    return bytes(connection.execute(sa.select(key_values.c.value).where(key_values.c.name == name)).scalar_one())
