"""Read and write the rows of sessions; each opening and closing writes its event in the same transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from gateway.store.tables import OUTBOX, accounts, sessions
from mft_common.database import advisory_lock
from mft_common.directory import Session
from mft_common.events.catalogue import SessionClosed, SessionOpened

_S = sessions.c


@dataclass(frozen=True, kw_only=True)
class NewSession:
    """A session that is opened; times in milliseconds, None for no limit."""

    token_hash: bytes
    session: Session
    idle: int | None
    absolute_at: int | None
    expires_at: int


def service_lock(connection: sa.Connection, service: str) -> None:
    """Take the lock under which sessions of `service` are counted and opened; a no-op on SQLite."""
    advisory_lock(connection, f"gateway sessions of {service}")


def insert(connection: sa.Connection, new: NewSession) -> None:
    """Insert a session and its event."""
    session = new.session
    connection.execute(
        sa.insert(sessions).values(
            token_hash=new.token_hash,
            public_id=session.public_id,
            service=session.service,
            account=session.account,
            label=session.label,
            address=session.address,
            opened_at=session.opened_at,
            seen_at=session.seen_at,
            idle=new.idle,
            absolute_at=new.absolute_at,
            expires_at=new.expires_at,
        )
    )
    OUTBOX.add(
        connection,
        SessionOpened(
            service=session.service,
            public_id=session.public_id,
            account=session.account,
            label=session.label,
            address=session.address,
        ),
    )


def live(connection: sa.Connection, service: str, now: int, account: str | None = None) -> tuple[Session, ...]:
    """Return the sessions of a service, or those of one account there, that hold at `now`, the oldest first."""
    query = (
        sa.select(
            _S.public_id,
            _S.service,
            _S.account,
            accounts.c.contact,
            _S.label,
            _S.address,
            _S.opened_at,
            _S.seen_at,
        )
        .join(accounts, accounts.c.name == _S.account)
        .where(_S.service == service, _S.expires_at > now)
        .order_by(_S.id)
    )
    if account is not None:
        query = query.where(_S.account == account)
    return tuple(Session(**row._mapping) for row in connection.execute(query))  # noqa: SLF001 -- a public name


def count(connection: sa.Connection, service: str, now: int, account: str | None = None) -> int:
    """Return how many sessions `live` would list."""
    query = sa.select(sa.func.count()).where(_S.service == service, _S.expires_at > now)
    if account is not None:
        query = query.where(_S.account == account)
    return int(connection.execute(query).scalar_one())


def count_by_service(connection: sa.Connection, now: int) -> Mapping[str, int]:
    """Count the sessions that hold at `now`; a service without any is missing."""
    counted = sa.select(_S.service, sa.func.count()).where(_S.expires_at > now).group_by(_S.service)
    return {row[0]: row[1] for row in connection.execute(counted)}


def close_public_id(connection: sa.Connection, service: str, public_id: str, now: int, reason: str) -> str | None:
    """Close a live session and return its account, None when there is none."""
    return _first(_close(connection, reason, _S.public_id == public_id, _S.service == service, _S.expires_at > now))


def close_token(connection: sa.Connection, service: str, token_hash: bytes, now: int) -> str | None:
    """Close the live session of a token and return its account, None when there is none."""
    return _first(_close(connection, "closed", _S.token_hash == token_hash, _S.service == service, _S.expires_at > now))


def close_account(connection: sa.Connection, account: str, service: str | None = None) -> None:
    """Close all sessions of an account, or those at one service, because the account changed."""
    _close(connection, "account", _S.account == account, *([] if service is None else [_S.service == service]))


def close_expired(connection: sa.Connection, now: int, limit: int) -> int:
    """Close at most `limit` expired sessions; return how many there were."""
    over = (
        sa.select(_S.id)
        .where(_S.expires_at <= now)
        .order_by(_S.expires_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return len(_close(connection, None, _S.id.in_(over.scalar_subquery()), _S.expires_at <= now))


def touch(connection: sa.Connection, token_hash: bytes, now: int, expires_at: int) -> None:
    """Write that a session was used at `now`, unless a later use is written or it has expired."""
    still = sa.and_(_S.token_hash == token_hash, _S.seen_at < now, _S.expires_at > now)
    connection.execute(sa.update(sessions).where(still).values(seen_at=now, expires_at=expires_at))


def _close(connection: sa.Connection, reason: str | None, *which: sa.ColumnElement[bool]) -> Sequence[sa.Row[Any]]:
    closed = connection.execute(sa.delete(sessions).where(*which).returning(sessions)).all()
    OUTBOX.add(
        connection,
        *(
            SessionClosed(
                service=row.service,
                public_id=row.public_id,
                account=row.account,
                label=row.label,
                address=row.address,
                reason=reason or ("absolute" if row.expires_at == row.absolute_at else "idle"),
            )
            for row in closed
        ),
    )
    return closed


def _first(closed: Sequence[sa.Row[Any]]) -> str | None:
    return str(closed[0].account) if closed else None
