"""Carry out the protocol's operations, and keep the record of transfers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from mft_common import addresses, clock, logs
from mft_common.clock import Clock
from mft_common.database import Database
from mft_common.directory import Account, Directory, Opened, Throttled, Wrong
from mft_common.errors import Unavailable
from mft_common.identity import Identity
from mqmft_svc import SERVICE, store
from mqmft_svc.domain import READERS, ROLES, WRITERS, Caller, Change, Item, Transfer, new_transfer
from mqmft_svc.errors import (
    CredentialsMissing,
    CredentialsWrong,
    LoginThrottled,
    MftDisabled,
    NoCoordinationQueueManager,
    NoSuchTransfer,
    RoleMissing,
    TokenInvalid,
    TopicNotAuthorized,
)
from mqmft_svc.schemas.attributes import Selection
from mqmft_svc.schemas.documents import default_document, whole_document
from mqmft_svc.schemas.queries import ListQuery
from mqmft_svc.settings import Settings

_PURGE_AT_ONCE: Final = 500
# The gateway looks at this many cookies of one name.
_MOST_TOKENS: Final = 8
_DAY_MS: Final = 86_400_000


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Transfers as JSON values, and the number of all transfers of the record (50)."""

    transfers: list[dict[str, Any]]
    total: int


class Operations:
    """One method for each of the vendor's operations.

    `coordination_qmgr` is empty where none is named. `applied_qmgr` reads, in the transaction of a new record, the one
    that the configuration applied last names: a worker outlives changes of the configuration.
    """

    def __init__(
        self,
        database: Database,
        directory: Directory,
        settings: Settings,
        *,
        coordination_qmgr: str,
        applied_qmgr: Callable[[sa.Connection], str],
        now: Clock = clock.now_ms,
    ) -> None:
        self.settings = settings
        self.coordination_qmgr = coordination_qmgr
        self._applied_qmgr = applied_qmgr
        self._database = database
        self._directory = directory
        self._now = now
        self._log = logs.get("operations")

    # Callers

    def authenticate(self, identity: Identity) -> Caller:
        """Return the caller of a request; raises the 401s of 11-13 and the 429 of 23."""
        settings = self.settings
        # The hub listens on loopback alone then, which a client of a proxy on this machine has only got around.
        if not settings.security and identity.address != addresses.UNKNOWN:
            return Caller(user=settings.security_off_user, roles=("MFTWebAdmin",), mechanism="noSecurity")
        if identity.account is None:
            if identity.reason == "throttled":
                raise LoginThrottled(headers={"Retry-After": str(identity.retry_after)})
            if identity.reason == "stale":
                raise TokenInvalid(cookie=settings.token_cookie)
            raise CredentialsWrong if identity.reason == "wrong" else CredentialsMissing
        grant = identity.grant or {}
        return Caller(
            user=identity.account,
            roles=tuple(role for role in ROLES if role in grant.get("roles", ())),
            topics=tuple(grant.get("topics", ())),
            mechanism="form" if identity.mechanism == "token" else "basic",
        )

    def authorize_read(self, caller: Caller, resource: str) -> None:
        """Raise the 403s of 15-19 unless one of the roles may read; the strongest role that applies counts."""
        if not set(caller.roles).isdisjoint(("MFTWebAdmin", "MFTWebAdminRO")):
            return
        if "MQWebUser" not in caller.roles:
            raise RoleMissing(user=caller.user, roles=", ".join(READERS))
        if not caller.may_subscribe(resource):
            raise TopicNotAuthorized(user=caller.user, topic=f"SYSTEM.FTE/{resource.capitalize()}")

    def authorize_write(self, caller: Caller) -> None:
        """Raise RoleMissing unless one of the roles may write (15, 18)."""
        if set(caller.roles).isdisjoint(WRITERS):
            raise RoleMissing(user=caller.user, roles=", ".join(WRITERS))

    def login(self, name: str, password: str, identity: Identity) -> Opened:
        """Open a session for the right password (140-144); each login gets a token of its own."""
        found = self._directory.verify(SERVICE, name, password, identity.address)
        if isinstance(found, Throttled):
            raise LoginThrottled(headers={"Retry-After": str(found.seconds)})
        if isinstance(found, Wrong):
            raise CredentialsWrong
        assert isinstance(found, Account)
        opened = self._directory.open_session(
            service=SERVICE,
            account=found.name,
            address=identity.address,
            token_form="urlsafe",  # noqa: S106 -- a form is no password
            token_bytes=32,
            idle=None,
            absolute=self.settings.token_minutes * 60.0,
        )
        if not isinstance(opened, Opened):
            raise Unavailable("no session could be opened")
        return opened

    def logout(self, identity: Identity, tokens: Sequence[str]) -> None:
        """Close the token of the request's cookie at once (146); of several cookies of that name every live one."""
        if not any(tokens):
            raise CredentialsMissing
        closed = [self._directory.close_token(SERVICE, token) for token in tokens[:_MOST_TOKENS] if token]
        if not any(closed):
            raise TokenInvalid(cookie=self.settings.token_cookie)
        self._log.info("session.closed", user=identity.account)

    # The transfer resource

    def list_transfers(self, query: ListQuery) -> Answer:
        """Return the newest transfers, or those nearest to one of them (37-45)."""
        self._require_mft()
        selection = query.selection
        with self._database.read() as connection:
            marks = {
                name: self._mark(connection, id_) for name, id_ in (("after", query.after), ("before", query.before))
            }
            plain = not selection.paths and not selection.everything
            records = store.newest(connection, query.limit, **marks, brief=plain)
            items = store.items(connection, [one.arrival for one in records]) if selection.needs_items else {}
            total = store.count(connection)
        shown = [self._document(one, items.get(one.arrival, ()), selection, plain=plain) for one in records]
        return Answer(transfers=shown, total=total)

    def get_transfer(self, id_: str, selection: Selection) -> Answer:
        """Return one transfer as a list of one (2); NoSuchTransfer, or AttributeNotApplicable (35)."""
        self._require_mft()
        with self._database.read() as connection:
            record = self._find(connection, id_)
            plain = not selection.paths and not selection.everything
            items = store.items(connection, [record.arrival])[record.arrival] if selection.needs_items else []
            total = store.count(connection)
        return Answer(transfers=[self._document(record, items, selection, plain=plain, single=True)], total=total)

    def _document(
        self, record: Transfer, items: Sequence[Item], selection: Selection, *, plain: bool, single: bool = False
    ) -> dict[str, Any]:
        if plain:
            return default_document(record)
        whole = whole_document(record, items)
        if single:
            selection.check_applies(whole["transferSet"]["item"])
        return selection.extend(default_document(record), whole)

    def _mark(self, connection: sa.Connection, id_: str | None) -> Transfer | None:
        return None if id_ is None else self._find(connection, id_)

    def _find(self, connection: sa.Connection, id_: str) -> Transfer:
        key = id_.upper()
        # A text that cannot be an id is not looked up: PostgreSQL refuses some, such as those with a NUL.
        found = store.find(connection, key) if key.isascii() and key.isalnum() and len(key) <= 48 else None
        if found is None:
            raise NoSuchTransfer(id=id_)
        return found

    def _require_mft(self) -> None:
        if not self.settings.enabled:
            raise MftDisabled
        if not self.coordination_qmgr:
            raise NoCoordinationQueueManager

    # The record

    def record(self, connection: sa.Connection, changes: Sequence[Change]) -> None:
        """Apply `changes` to the record, in the caller's transaction (4.A, 4.B)."""
        waiting: dict[str, list[Change]] = {}
        for change in changes:
            waiting.setdefault(change.id, []).append(change)
        while waiting:
            known = store.lock(connection, list(waiting))
            unknown = [id_ for id_ in waiting if id_ not in known]
            qmgr = self._applied_qmgr(connection) if unknown else ""
            fresh = {id_: new_transfer(waiting[id_][0], qmgr) for id_ in unknown}
            for id_, group in waiting.items():
                for change in group:
                    (known.get(id_) or fresh[id_]).apply(change)
            # Sorted: two workers that insert the same transfers in different orders would deadlock.
            arrivals = store.insert(connection, [fresh[id_] for id_ in sorted(fresh)])
            store.update(connection, known.values())
            self._record_items(connection, waiting, arrivals, known)
            # Another worker may have inserted a transfer first: it is read and changed in another round.
            waiting = {id_: group for id_, group in waiting.items() if id_ in fresh and id_ not in arrivals}

    def _record_items(
        self,
        connection: sa.Connection,
        waiting: Mapping[str, Sequence[Change]],
        arrivals: Mapping[str, int],
        known: Mapping[str, Transfer],
    ) -> None:
        changed: dict[int, dict[int, Item]] = {}
        for id_, group in waiting.items():
            arrival = known[id_].arrival if id_ in known else arrivals.get(id_)
            given = [one for change in group for one in change.items]
            stored = [one for one in given if one.position < self.settings.max_items]
            if len(stored) < len(given):
                self._log.warning("items.too_many", msg_id="MQWB0404E", transfer=id_, limit=self.settings.max_items)
            if arrival is None:
                continue
            merged = changed.setdefault(arrival, {})
            for one in stored:
                before = merged.get(one.position)
                merged[one.position] = one if before is None else before.merged(one)
        store.add_items(connection, changed)

    def purge(self) -> int:
        """Delete one batch of the transfers that are older than MQMFT_KEEP_DAYS; return how many (200)."""
        days = self.settings.keep_days
        if days == 0:
            return 0
        with self._database.write() as connection:
            return store.delete_older(connection, self._now() - days * _DAY_MS, _PURGE_AT_ONCE)
