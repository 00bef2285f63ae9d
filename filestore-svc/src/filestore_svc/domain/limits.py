"""Say how long files of a folder live, and how many bytes it and all below it, or an account, may hold."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, unquote


@dataclass(frozen=True)
class Retention:
    """When a file expires: so many milliseconds after it was put, and after it was first read; 0 for never (S29)."""

    after_put: int = 0
    after_get: int = 0


FOR_EVER: Final = Retention()


@dataclass(frozen=True)
class Limits:
    """What the configuration sets: by path of a folder, `accounts` by name, and `file`, the most bytes of any file."""

    retention: Mapping[str, Retention] = field(default_factory=dict)
    quotas: Mapping[str, int] = field(default_factory=dict)
    accounts: Mapping[str, int] = field(default_factory=dict)
    file: int | None = None

    def retention_of(self, folder: str) -> Retention:
        """Return the retention of a folder: its own, or that of the nearest above it that has one."""
        if not self.retention:
            return FOR_EVER
        return next((self.retention[path] for path in _upwards(folder) if path in self.retention), FOR_EVER)

    def quotas_over(self, folder: str, owner: str) -> dict[str, int]:
        """Return all quotas that a file of `owner` in this folder counts for, by path or by the account's key."""
        over = {path: self.quotas[path] for path in _upwards(folder) if path in self.quotas} if self.quotas else {}
        return over if owner not in self.accounts else {**over, account_key(owner): self.accounts[owner]}

    def counted(self) -> set[str]:
        """Return what bytes are counted for: paths of folders and keys of accounts."""
        return {*self.quotas, *map(account_key, self.accounts)}


NO_LIMITS: Final = Limits()


def account_key(account: str) -> str:
    """Return under which key an account's bytes are counted; folders have their paths, which begin with a slash."""
    return f"@{quote(account, safe='')}"


def account_of(key: str) -> str | None:
    """Return the account whose key it is, None for a folder's path."""
    return unquote(key[1:]) if key.startswith("@") else None


def _upwards(folder: str) -> list[str]:
    pieces = folder.split("/")
    return ["/".join(pieces[:count]) for count in range(len(pieces), 1, -1)]
