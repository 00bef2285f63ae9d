"""Open, find, list and close sessions; an opening checks its limits in the same transaction."""

import base64
import hashlib
import os
import threading
import uuid
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from prometheus_client import Counter

from gateway.domain import Times, plain_address, storable, usable_name
from gateway.errors import NoAccount
from gateway.store import accounts, lookup
from gateway.store import sessions as store
from mft_common import logs
from mft_common.clock import Clock
from mft_common.database import Database
from mft_common.database.after_commit import on_commit
from mft_common.directory import Account, Full, Opened, Session, TokenForm
from mft_common.errors import Unavailable

_BATCH: Final = 100
OPENED: Final = Counter("mft_sessions_opened_total", "Sessions opened, by the service that opened them.", ["service"])


@dataclass(frozen=True, kw_only=True)
class Opening:
    """The arguments of an opening; see `mft_common.directory.Directory.open_session`."""

    service: str
    account: str
    label: str = ""
    address: str = ""
    token_form: TokenForm = "hex"  # noqa: S105 -- the name of a form
    token_bytes: int = 16
    idle: float | None = None
    absolute: float | None = None
    limit: int | None = None
    account_limit: int | None = None
    evict: str | None = None
    replace_token: str | None = None


class Sessions:
    """The sessions of all services."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._lookup = lookup.Lookup(database)
        self._touching: set[bytes] = set()
        self._touching_lock = threading.Lock()

    def open(self, opening: Opening) -> Opened | Full:
        """Open a session; NoAccount when its account cannot be used any more."""
        with self._database.write() as connection:
            if opening.limit is not None or opening.account_limit is not None:
                store.service_lock(connection, opening.service)
            account = accounts.lock_account(connection, opening.account) if usable_name(opening.account) else None
            if account is None:
                raise NoAccount("the account is not there any more")
            now = self._clock()
            freed = self._replace(connection, opening, now)
            full = self._full(connection, opening, freed, now)
            if full is None:
                on_commit(connection, OPENED.labels(opening.service).inc)
            return full or self._add(connection, opening, account.contact, now)

    def find(self, service: str, token: str) -> tuple[Session, Account] | None:
        """Return the live session of `token` and its account; see Directory.find_session."""
        token_hash = _hash(token)
        live = self._lookup.session(token_hash, service)
        now = self._clock()
        if live is None or live.expires_at <= now:
            return None
        times = Times(live.idle, live.absolute_at)
        if times.stale(live.session.seen_at, now):
            self._touch(token_hash, now, times.expires_at(now))
        return live.session, live.account

    def account(self, service: str, name: str) -> Account | None:
        """Return an account that is enabled, as `service` may see it."""
        row = self._lookup.account(name) if usable_name(name) else None
        return None if row is None else lookup.account_of(row, service)

    def list_live(self, service: str) -> tuple[Session, ...]:
        """Return the live sessions of a service, the oldest first."""
        with self._database.read() as connection:
            return store.live(connection, service, self._clock())

    def close(self, service: str, public_id: str) -> bool:
        """Close a session by its public id; False when it was not open."""
        if not usable_name(public_id):
            return False
        with self._database.write() as connection:
            return store.close_public_id(connection, service, public_id, self._clock(), "closed") is not None

    def close_token(self, service: str, token: str) -> bool:
        """Close a session by its token; False when it was not open."""
        with self._database.write() as connection:
            return store.close_token(connection, service, _hash(token), self._clock()) is not None

    def sweep(self) -> int:
        """Close expired sessions, a small batch in each transaction; return how many there were."""
        swept = 0
        while True:
            with self._database.write() as connection:
                closed = store.close_expired(connection, self._clock(), _BATCH)
            swept += closed
            if closed < _BATCH:
                return swept

    def _replace(self, connection: sa.Connection, opening: Opening, now: int) -> list[str]:
        """Close the sessions that this one replaces, and return their accounts."""
        freed = []
        if opening.replace_token:
            freed.append(store.close_token(connection, opening.service, _hash(opening.replace_token), now))
        if opening.evict and usable_name(opening.evict):
            freed.append(store.close_public_id(connection, opening.service, opening.evict, now, "evicted"))
        return [account for account in freed if account is not None]

    def _full(self, connection: sa.Connection, opening: Opening, freed: list[str], now: int) -> Full | None:
        """Return the open sessions when a limit is reached; a session that was just closed makes room for this one."""
        service, account = opening.service, opening.account
        if opening.limit is not None and not freed and store.count(connection, service, now) >= opening.limit:
            return Full(store.live(connection, service, now))
        most = opening.account_limit
        if most is not None and account not in freed and store.count(connection, service, now, account) >= most:
            return Full(store.live(connection, service, now, account))
        return None

    def _add(self, connection: sa.Connection, opening: Opening, contact: str, now: int) -> Opened:
        token = _new_token(opening.token_form, opening.token_bytes)
        absolute_at = None if opening.absolute is None else now + int(opening.absolute * 1000)
        times = Times(None if opening.idle is None else int(opening.idle * 1000), absolute_at)
        session = Session(
            public_id=str(uuid.uuid4()),
            service=opening.service,
            account=opening.account,
            contact=contact,
            label=storable(opening.label),
            address=plain_address(opening.address),
            opened_at=now,
            seen_at=now,
        )
        new = store.NewSession(
            token_hash=_hash(token),
            session=session,
            idle=times.idle,
            absolute_at=absolute_at,
            expires_at=times.expires_at(now),
        )
        store.insert(connection, new)
        return Opened(token, session)

    def _touch(self, token_hash: bytes, now: int, expires_at: int) -> None:
        """Write a use, unless another thread is just writing one of the same session.

        Requests that only read go on while nothing can be written, on a full disk for one: clients must still be able
        to delete. A session whose uses cannot be written ends at its idle limit.
        """
        with self._touching_lock:
            if token_hash in self._touching:
                return
            self._touching.add(token_hash)
        try:
            with self._database.write() as connection:
                store.touch(connection, token_hash, now, expires_at)
        except Unavailable as error:
            logs.get("sessions").warning("session.touch_failed", reason=str(error))
        finally:
            with self._touching_lock:
                self._touching.discard(token_hash)


def _hash(token: str) -> bytes:
    """Return the hash that is stored of a token, so that a copy of the database opens no session."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _new_token(form: TokenForm, size: int) -> str:
    raw = os.urandom(size)
    if form == "hex":
        return raw.hex()
    if form == "base64":
        return base64.b64encode(raw).decode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
