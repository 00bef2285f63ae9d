"""Hold the configured keys, and ask gpg what they are."""

import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from marshmallow import Schema, ValidationError, fields

from mft_common import config
from mft_common.endpoints.errors import TransferError
from mft_common.transfer.steps.openpgp import listing, program
from mft_common.transfer.steps.openpgp.errors import KeyRefused, ProgramMissing

# gpg makes files in its home even to look at a key; they hold nothing, and this folder is memory.
_MEMORY: Final = Path("/dev/shm")  # noqa: S108 -- a private folder is made in it


@dataclass(frozen=True)
class Key:
    """A key of the configuration: its name, its armored text, and what gpg says of it."""

    name: str
    text: str = field(repr=False)
    listing: listing.KeyListing
    passphrase: str | None = field(default=None, repr=False)

    def to_json(self) -> dict[str, Any]:
        """Return plain data for a child process; it holds the key and its passphrase."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return the key of what `to_json` gave."""
        return cls(**{**values, "listing": listing.KeyListing.from_json(values["listing"])})


class _Key(Schema):
    secret = fields.Raw()
    public = fields.Raw()
    passphrase = fields.Raw()


def list_keys(text: str) -> tuple[listing.KeyListing, ...]:
    """Return the keys that a file holds; ProgramMissing without gpg. Nothing is kept."""
    gpg = program.find()
    # Nothing here needs it, but each secret key will.
    program.find("gpg-agent")
    with tempfile.TemporaryDirectory(prefix="openpgp-", dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
        home = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            arguments = [gpg, *base_options(home), "--with-colons", "--with-sig-list", "--show-keys"]
            made, _ = program.run(arguments, text.encode(), descriptor=home)
        finally:
            os.close(home)
    return tuple(listing.parse(made.decode("utf-8", "replace")))


def base_options(home: int) -> list[str]:
    """Return the options of every gpg process; `home` is the descriptor of its home, inherited under its number."""
    # fmt: off
    return [
        "--homedir", f"/proc/self/fd/{home}", "--no-options", "--batch", "--no-tty", "--no-autostart",
        "--no-permission-warning", "--no-auto-check-trustdb", "--pinentry-mode", "loopback", "--disable-dirmngr",
        "--no-auto-key-retrieve", "--auto-key-locate", "clear,local",
    ]
    # fmt: on


def read_key(name: str, text: str, *, secret: bool, passphrase: str | None = None) -> Key:
    """Return the key of a file; KeyRefused where it does not hold exactly one key of that kind."""
    found = list_keys(text)
    kind = "secret" if secret else "public"
    if len(found) != 1:
        raise KeyRefused(f"the file holds {len(found)} keys where one {kind} key is expected")
    if found[0].secret != secret:
        raise KeyRefused(f"the file holds a {'public' if secret else 'secret'} key where a {kind} one is expected")
    return Key(name, text, found[0], passphrase)


def read_keys(section: Mapping[Any, Any], secrets: config.Reader, path: str = "openpgp") -> dict[str, Key]:
    """Return the keys of the configuration's section by name; every problem is added to `secrets.problems`.

    A key that is expired or revoked is no problem here: it is refused when it would be used.
    """
    keys: dict[str, Key] = {}
    for name, given in section.items():
        at = f"{path}.{name}"
        if not isinstance(name, str) or not config_name(name):
            secrets.problems.append(f"{at}: a key's name has letters, digits, dots, hyphens and underscores")
            continue
        try:
            values = _Key().load(given)
        except ValidationError as error:
            secrets.problems.extend(config.problems_of(error, at))
            continue
        try:
            key = _read(name, values, secrets, at)
        except ProgramMissing as error:
            secrets.problems.append(f"{path}: {error}")
            return {}
        except TransferError as error:
            secrets.problems.append(f"{at}: {error}")
            continue
        if key is not None:
            keys[name] = key
    return keys


def config_name(name: str) -> bool:
    """Return whether a key may have this name."""
    return 0 < len(name) <= 128 and name.isascii() and all(letter.isalnum() or letter in "._-" for letter in name)


def _read(name: str, values: Mapping[str, Any], secrets: config.Reader, at: str) -> Key | None:
    kinds = [kind for kind in ("secret", "public") if kind in values]
    if len(kinds) != 1:
        secrets.problems.append(f"{at}: has either a secret or a public key")
        return None
    secret = kinds[0] == "secret"
    if "passphrase" in values and not secret:
        secrets.problems.append(f"{at}.passphrase: a public key has none")
        return None
    before = len(secrets.problems)
    text = secrets.secret(values[kinds[0]], f"{at}.{kinds[0]}")
    passphrase = secrets.secret(values["passphrase"], f"{at}.passphrase") if "passphrase" in values else None
    if len(secrets.problems) > before:
        return None
    return read_key(name, text, secret=secret, passphrase=passphrase)
