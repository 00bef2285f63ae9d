"""Read what gpg says of keys with --with-colons, and say whether a key may be used today."""

import datetime
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, Self

Use = Literal["encrypt", "sign", "decrypt", "verify"]

# GnuPG's doc/DETAILS: the letters of capabilities, and the numbers of algorithms.
_CAPABILITIES: Final[dict[Use, str]] = {"encrypt": "e", "decrypt": "e", "sign": "s", "verify": "s"}
_ALGORITHMS: Final = {"1": "RSA", "16": "Elgamal", "17": "DSA", "18": "ECDH", "19": "ECDSA", "22": "EdDSA"}
_ESCAPED: Final = re.compile(r"\\x([0-9a-f]{2})")


@dataclass(frozen=True)
class Part:
    """The primary key or a subkey: times in seconds since 1970, capabilities of `e`, `s`, `c`, `a`.

    `revoked_at` is 0 where the key is revoked and the listing has no date; None where it is not revoked.
    """

    fingerprint: str
    algorithm: str
    bits: int
    created: int
    expires: int | None
    capabilities: str
    revoked_at: int | None = None
    invalid: bool = False

    def problem(self, now: float) -> str | None:
        """Return why this part cannot be used at `now`."""
        if self.revoked_at is not None:
            return "is revoked" if self.revoked_at == 0 else f"was revoked on {_day(self.revoked_at)}"
        if self.expires is not None and self.expires <= now:
            return f"expired on {_day(self.expires)}"
        if self.created > now:
            return f"was made on {_day(self.created)}, which is in the future"
        return "is not valid" if self.invalid else None


@dataclass(frozen=True)
class KeyListing:
    """A key as gpg lists it: the primary key, its subkeys, its names; `secret` where it is a secret key."""

    secret: bool
    primary: Part
    subkeys: tuple[Part, ...] = ()
    user_ids: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return the listing of what `dataclasses.asdict` made of one."""
        subkeys = tuple(Part(**part) for part in values["subkeys"])
        return cls(values["secret"], Part(**values["primary"]), subkeys, tuple(values["user_ids"]))

    @property
    def fingerprint(self) -> str:
        """The primary key's fingerprint: 40 upper-case hex digits."""
        return self.primary.fingerprint

    def has_expired(self, use: Use, now: float) -> bool:
        """Return whether the key cannot be used so at `now`, and could until it expired: it was never revoked."""
        parts = [self.primary, *(part for part in self.subkeys if _CAPABILITIES[use] in part.capabilities)]
        ends = [part.expires for part in parts if part.expires is not None]
        return bool(self.problem(use, now)) and bool(ends) and self.problem(use, min(ends) - 1) is None

    def problem(self, use: Use, now: float) -> str | None:
        """Return why the key cannot be used so at `now` (seconds since 1970), with the date; None where it can."""
        if found := self.primary.problem(now):
            return found
        able = [part for part in (self.primary, *self.subkeys) if _CAPABILITIES[use] in part.capabilities]
        if not able:
            return f"cannot {use}"
        problems = [part.problem(now) for part in able]
        return None if None in problems else f"cannot {use}: its part for that {problems[-1]}"


def parse(listing: str) -> Iterator[KeyListing]:
    """Yield the keys of `gpg --with-colons --with-sig-list` output."""
    key: KeyListing | None = None
    # Not splitlines(): a user id may hold other characters that end a line in Unicode.
    for line in listing.split("\n"):
        fields = [*line.split(":"), *[""] * 20]
        kind = fields[0]
        if kind in ("pub", "sec"):
            if key is not None:
                yield key
            key = KeyListing(kind == "sec", _part(fields))
        elif key is None:
            continue
        elif kind in ("sub", "ssb"):
            key = replace(key, subkeys=(*key.subkeys, _part(fields)))
        elif kind == "fpr":
            key = _with_last(key, fingerprint=fields[9])
        elif kind == "uid":
            key = replace(key, user_ids=(*key.user_ids, _text(fields[9])))
        elif kind == "rev":
            key = _with_revocation(key, int(fields[5] or 0), fields[10])
    if key is not None:
        yield key


def _part(fields: list[str]) -> Part:
    validity = fields[1][:1]
    return Part(
        fingerprint="",
        algorithm=_ALGORITHMS.get(fields[3], f"algorithm {fields[3]}"),
        bits=int(fields[2] or 0),
        created=int(fields[5] or 0),
        expires=int(fields[6]) if fields[6] else None,
        capabilities="".join(letter for letter in fields[11] if letter in "esca"),
        revoked_at=0 if validity == "r" else None,
        invalid=validity in ("i", "d"),
    )


def _with_last(key: KeyListing, *, fingerprint: str) -> KeyListing:
    if key.subkeys:
        return replace(key, subkeys=(*key.subkeys[:-1], replace(key.subkeys[-1], fingerprint=fingerprint)))
    return replace(key, primary=replace(key.primary, fingerprint=fingerprint))


def _with_revocation(key: KeyListing, at: int, signature_class: str) -> KeyListing:
    """Note the date of a revocation: class 20 is one of the key, 28 one of a subkey."""
    if signature_class.startswith("20") and key.primary.revoked_at == 0:
        return replace(key, primary=replace(key.primary, revoked_at=at))
    if signature_class.startswith("28") and key.subkeys and key.subkeys[-1].revoked_at == 0:
        return replace(key, subkeys=(*key.subkeys[:-1], replace(key.subkeys[-1], revoked_at=at)))
    return key


def _text(escaped: str) -> str:
    raw = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), escaped)
    return "".join(character if character.isprintable() else "?" for character in raw)


def _day(seconds: int) -> str:
    return f"{datetime.datetime.fromtimestamp(seconds, datetime.UTC):%Y-%m-%d}"
