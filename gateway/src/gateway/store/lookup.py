"""Look up sessions and accounts for requests, in one indexed read each."""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from gateway.domain import GRANT_KEYS
from gateway.store.tables import ENABLED, accounts, key_values, sessions
from mft_common.database import Database
from mft_common.database.statements import ReadConnection, Statement
from mft_common.directory import Account, Session

_A: Final = accounts.c
_S: Final = sessions.c
_EXPIRED: Final = sa.type_coerce(_A.expired, sa.Integer)
_ACCOUNT: Final = (_A.name, _A.contact, _A.number, _A.grants, _A.revision, _A.password_changed_at, _EXPIRED)
_SESSION: Final = Statement(
    sa.select(
        *_ACCOUNT,
        *(_S.public_id, _S.label, _S.address, _S.opened_at, _S.seen_at, _S.idle, _S.absolute_at, _S.expires_at),
    )
    .join(sessions, _A.name == _S.account)
    .where(_S.token_hash == sa.bindparam("token_hash"), _S.service == sa.bindparam("service"), _A.state == ENABLED)
)
_BY_NAME: Final = Statement(sa.select(*_ACCOUNT).where(_A.name == sa.bindparam("called"), _A.state == ENABLED))
_KEY_VALUE: Final = Statement(sa.select(key_values.c.value).where(key_values.c.name == sa.bindparam("called")))


@lru_cache(maxsize=8192)
def grant_of(grants: str, service: str) -> Mapping[str, Any] | None:
    """Return the grant for `service` out of an account's grants, None where it has none.

    Many requests share one text, and parsing it each time would be a good part of a look-up.
    """
    grant: Mapping[str, Any] | None = json.loads(grants).get(GRANT_KEYS.get(service, service))
    return grant


def account_of(row: Sequence[Any], service: str) -> Account:
    """Build an account, as `service` may see it, from the first seven columns of a row."""
    name, contact, number, grants, revision, changed_at, expired = row[:7]
    return Account(
        name=name,
        contact=contact,
        number=number,
        grant=grant_of(grants, service),
        revision=revision,
        password_changed_at=changed_at,
        expired=bool(expired),
    )


class Live(NamedTuple):
    """A session with its account; times are milliseconds."""

    session: Session
    account: Account
    idle: int | None
    absolute_at: int | None
    expires_at: int


class Lookup:
    """Reads one row; a session's only where the database was changed since it was last read."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def session(self, token_hash: bytes, service: str) -> Live | None:
        """Return the session of a token's hash, expired ones too; None where there is none."""

        def look(connection: ReadConnection) -> Live | None:
            row = _SESSION.first(connection, {"token_hash": token_hash, "service": service})
            return None if row is None else _live(row, service)

        return self._database.query_cached((token_hash, service), look)

    def account(self, name: str) -> Sequence[Any] | None:
        """Return an account that is enabled, or None."""
        return self._database.query(lambda look: _BY_NAME.first(look, {"called": name}))

    def key_value(self, name: str) -> bytes | None:
        """Return the value that is stored under `name`, None where there is none."""
        row = self._database.query(lambda look: _KEY_VALUE.first(look, {"called": name}))
        return None if row is None else bytes(row[0])


def _live(row: Sequence[Any], service: str) -> Live:
    account = account_of(row, service)
    public_id, label, address, opened_at, seen_at, idle, absolute_at, expires_at = row[7:]
    session = Session(
        public_id=public_id,
        service=service,
        account=account.name,
        contact=account.contact,
        label=label,
        address=address,
        opened_at=opened_at,
        seen_at=seen_at,
    )
    return Live(session, account, idle, absolute_at, expires_at)
