"""Know the requests that a client repeats because it has lost the answer (152)."""

import hashlib
from typing import Final

import sqlalchemy as sa

from mqmft_svc.store import managed as store

# How long a repeated request with the same key gets the first one's answer.
KEY_LASTS_MS: Final = 86_400_000


def digest(key: str, resource: str = "") -> str:
    """Return what is stored of a key, "" for none: any text is one; each resource has keys of its own."""
    text = f"{resource}\0{key}" if resource else key
    return key and hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def earlier(connection: sa.Connection, account: str, stored: str, now: int) -> str | None:
    """Return the id that an earlier request with this key has made; one request of an account at a time looks."""
    if not stored:
        return None
    store.lock_keys(connection, account)
    return store.repeated(connection, account, stored, now - KEY_LASTS_MS, now)


def remember(connection: sa.Connection, account: str, stored: str, id_: str, now: int) -> None:
    """Remember the id that a request has made, where it has a key."""
    if stored:
        store.remember(connection, account, stored, id_, now)
