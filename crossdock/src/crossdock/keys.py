"""List, make, check and export OpenPGP keys from the command line."""

import datetime
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crossdock import configuration
from crossdock.errors import CannotStart
from mft_common.transfer.steps import openpgp
from mft_common.transfer.steps.openpgp.keys import config_name, list_keys
from mft_common.transfer.steps.openpgp.listing import KeyListing, Part

_COLUMNS = ("name", "kind", "algorithm", "fingerprint", "created", "expires", "state")


@dataclass(frozen=True)
class Wanted:
    """A key to be made."""

    name: str
    user_id: str
    passphrase: str = field(repr=False)
    algorithm: str
    years: int


def configured(config: Path | None, environ: Mapping[str, str]) -> list[openpgp.Key]:
    """Return the keys of a configuration file, sorted by name; ConfigError with the problems of its section."""
    document, reader = configuration.read(config, environ, demo=False)
    keys = openpgp.read_keys(document.get("openpgp") or {}, reader)
    reader.check()
    return [keys[name] for name in sorted(keys)]


def named(name: str, config: Path | None, environ: Mapping[str, str]) -> openpgp.Key:
    """Return one key of a configuration file."""
    for key in configured(config, environ):
        if key.name == name:
            return key
    raise CannotStart(f"the section openpgp has no key {name}")


def show(keys: Iterable[openpgp.Key], form: str, echo: Callable[[str], Any], *, parts: bool = False) -> int:
    """Print keys as a table or as JSON; return 1 when one of them cannot be used today, else 0."""
    rows = [_row(key, parts=parts) for key in keys]
    if form == "json":
        echo(json.dumps(rows, indent=2))
    elif rows:
        widths = [
            max(len(str(row[column])) for row in [*rows, dict(zip(_COLUMNS, _COLUMNS, strict=True))])
            for column in _COLUMNS
        ]
        for row in [dict(zip(_COLUMNS, _COLUMNS, strict=True)), *rows]:
            cells = [str(row[column]).ljust(width) for column, width in zip(_COLUMNS, widths, strict=True)]
            echo("  ".join(cells).rstrip())
            for line in _details(row) if parts and "parts" in row else ():
                echo(f"  {line}")
    return 1 if any(row["state"] != "valid" for row in rows) else 0


def make(wanted: Wanted, secret: Path, public: Path, passphrase_file: Path | None) -> str:
    """Make a key and write both files, neither of which may exist; return what to write into crossdock.yaml."""
    _check_name(wanted.name)
    for path in (secret, public):
        if path.exists():
            raise CannotStart(f"{path} exists already")
    with _folder() as folder:
        texts = openpgp.make_key(
            Path(folder), wanted.user_id, wanted.passphrase, algorithm=wanted.algorithm, years=wanted.years
        )
    with ExitStack() as made:
        for path, text in zip((secret, public), texts, strict=True):
            write(path, text)
            made.callback(path.unlink, missing_ok=True)
        made.pop_all()
    reference = "{env: PGP_PASSPHRASE}" if passphrase_file is None else f"{{file: {_quoted(passphrase_file)}}}"
    entry = f"{{secret: {{file: {_quoted(secret)}}}, passphrase: {reference}}}"
    return f"openpgp:\n  {wanted.name}: {entry}"


def check_file(name: str, file: Path) -> tuple[str, str | None]:
    """Return what to write into crossdock.yaml for a key file, and why the key cannot be used today, or None."""
    _check_name(name)
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise CannotStart(f"{file} is no armored key: export it with gpg --armor") from error
    found = list_keys(text)
    if len(found) != 1:
        raise CannotStart(f"{file} holds {len(found)} keys where one is expected")
    kind = "secret" if found[0].secret else "public"
    passphrase = ", passphrase: {env: PGP_PASSPHRASE}" if found[0].secret else ""
    lines = [f"# {found[0].fingerprint} {', '.join(found[0].user_ids)}", "openpgp:"]
    lines.append(f"  {name}: {{{kind}: {{file: {_quoted(file)}}}{passphrase}}}")
    return "\n".join(lines), _problem(found[0])


def export(key: openpgp.Key) -> str:
    """Return the armored public part of a key."""
    with _folder() as folder:
        return openpgp.public_text(Path(folder), key)


def write(path: Path, text: str) -> None:
    """Write a new file that its owner alone can read; one that cannot be written whole is removed."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _folder() -> AbstractContextManager[str]:
    """Return a private folder for a moment, in memory where there is one."""
    memory = Path("/dev/shm")  # noqa: S108 -- a private folder is made in it
    return tempfile.TemporaryDirectory(prefix="crossdock-key-", dir=memory if memory.is_dir() else None)


def _check_name(name: str) -> None:
    if not config_name(name):
        raise CannotStart("a key's name has letters, digits, dots, hyphens and underscores")


def _quoted(path: Path) -> str:
    """Return a path as a YAML scalar: JSON's strings are YAML's."""
    return json.dumps(str(path), ensure_ascii=False)


def _problem(listing: KeyListing) -> str | None:
    """Return why a key cannot do its work today: a secret one signs and decrypts, a public one encrypts."""
    return listing.problem("sign" if listing.secret else "encrypt", time.time())


def _row(key: openpgp.Key, *, parts: bool) -> dict[str, Any]:
    listing = key.listing
    row: dict[str, Any] = {
        "name": key.name,
        "kind": "secret" if listing.secret else "public",
        **_shown(listing.primary),
        "state": _problem(listing) or "valid",
        "user_ids": list(listing.user_ids),
    }
    if parts:
        row["parts"] = [
            {**_shown(part), "uses": part.capabilities, "state": part.problem(time.time()) or "valid"}
            for part in (listing.primary, *listing.subkeys)
        ]
    return row


def _shown(part: Part) -> dict[str, str]:
    return {
        "algorithm": f"{part.algorithm} {part.bits}",
        "fingerprint": part.fingerprint,
        "created": _day(part.created),
        "expires": "never" if part.expires is None else _day(part.expires),
    }


def _details(row: Mapping[str, Any]) -> list[str]:
    return [
        *(f"user id {user_id}" for user_id in row["user_ids"]),
        *(
            f"part    {part['fingerprint']} {part['algorithm']} [{part['uses']}] {part['created']} to "
            f"{part['expires']}: {part['state']}"
            for part in row["parts"]
        ),
    ]


def _day(seconds: int) -> str:
    return f"{datetime.datetime.fromtimestamp(seconds, datetime.UTC):%Y-%m-%d}"
