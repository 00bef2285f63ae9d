"""Tell by a few hashes whether the secrets of many accounts are still those whose hashes are stored.

One argon2id hash over the secrets of a group of accounts tells it for all of them. To guess one secret from it takes
the others, and as much work a guess as the account's own hash does: unlike a fast keyed digest, a copy of database and
keys makes no password easier to find.
"""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from gateway.domain import AccountSpec
from gateway.operations.passwords import Passwords

# A start costs one hash for each group, and a changed secret one for each account of its group.
_GROUPS: Final = 64

Fingerprints = Mapping[str, str]


def group_of(name: str) -> str:
    """Return the group of an account's name."""
    return str(hashlib.sha256(name.encode()).digest()[0] % _GROUPS)


def by_group(specs: Sequence[AccountSpec]) -> dict[str, list[AccountSpec]]:
    """Return the accounts of each group that has any."""
    groups: dict[str, list[AccountSpec]] = {}
    for spec in specs:
        groups.setdefault(group_of(spec.name), []).append(spec)
    return groups


def matches(passwords: Passwords, fingerprint: str, specs: Collection[AccountSpec]) -> bool:
    """True when `fingerprint` was made of exactly these accounts with these secrets."""
    return passwords.matches(fingerprint, _text(specs))


def make(passwords: Passwords, specs: Collection[AccountSpec]) -> str:
    """Return the fingerprint of a group with these accounts."""
    return passwords.hash(_text(specs))


def _text(specs: Collection[AccountSpec]) -> str:
    secrets = sorted(
        [spec.name, spec.password, [[prompt.text, prompt.answer] for prompt in spec.prompts]] for spec in specs
    )
    return hashlib.sha256(json.dumps(secrets).encode()).hexdigest()
