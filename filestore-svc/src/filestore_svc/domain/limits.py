"""Define the retention of files, and the quotas of folders and accounts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, unquote


@dataclass(frozen=True)
class Retention:
    """When a file expires: milliseconds after its upload and after its first download, 0 for never (S29)."""

    after_put: int = 0
    after_get: int = 0


FOR_EVER: Final = Retention()


@dataclass(frozen=True)
class Limits:
    """The configured limits: by path of a folder, by name of an account, and `file` for the size of any file."""

    retention: Mapping[str, Retention] = field(default_factory=dict)
    quotas: Mapping[str, int] = field(default_factory=dict)
    accounts: Mapping[str, int] = field(default_factory=dict)
    file: int | None = None

    def retention_of(self, folder: str) -> Retention:
        """Return the retention of a folder: its own, or that of its nearest ancestor that has one."""
        if not self.retention:
            return FOR_EVER
        return next((self.retention[path] for path in _upwards(folder) if path in self.retention), FOR_EVER)

    def quotas_over(self, folder: str, owner: str) -> dict[str, int]:
        """Return all quotas for which a file of `owner` in this folder counts, by path or account key."""
        over = {path: self.quotas[path] for path in _upwards(folder) if path in self.quotas} if self.quotas else {}
        return over if owner not in self.accounts else {**over, account_key(owner): self.accounts[owner]}

    def counted(self) -> set[str]:
        """Return the paths of folders and the keys of accounts that have a quota."""
        return {*self.quotas, *map(account_key, self.accounts)}


NO_LIMITS: Final = Limits()


def account_key(account: str) -> str:
    """Return the key under which the bytes of an account are counted; that of a folder is its path."""
    return f"@{quote(account, safe='')}"


def account_of(key: str) -> str | None:
    """Return the account of a key, None for the path of a folder."""
    return unquote(key[1:]) if key.startswith("@") else None


def _upwards(folder: str) -> list[str]:
    pieces = folder.split("/")
    return ["/".join(pieces[:count]) for count in range(len(pieces), 1, -1)]
