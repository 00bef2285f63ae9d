"""Make keys, and export public ones."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from mft_common.transfer.steps.openpgp import program
from mft_common.transfer.steps.openpgp.errors import KeyRefused, OpenPgpError
from mft_common.transfer.steps.openpgp.home import Home
from mft_common.transfer.steps.openpgp.keys import Key

ALGORITHMS: Final[Mapping[str, str]] = {
    "rsa3072": "Key-Type: RSA\nKey-Length: 3072\nKey-Usage: sign\nSubkey-Type: RSA\nSubkey-Length: 3072\n",
    "rsa4096": "Key-Type: RSA\nKey-Length: 4096\nKey-Usage: sign\nSubkey-Type: RSA\nSubkey-Length: 4096\n",
    "ed25519": "Key-Type: eddsa\nKey-Curve: ed25519\nKey-Usage: sign\nSubkey-Type: ecdh\nSubkey-Curve: cv25519\n",
}
# No OCB: GnuPG 2.3 and later would put it in, and write packet 20 to the key, which few other programs read.
PREFERENCES: Final = "AES256 AES192 AES SHA512 SHA384 SHA256 ZLIB BZIP2 ZIP Uncompressed"
# The most that the format can express: the passphrase of a file that is kept for years is hashed as often.
_S2K_COUNT: Final = "65011712"
_USER_ID: Final = re.compile(r"(?P<name>[^<>()\x00-\x1f]{1,100}?) ?<(?P<mail>[^<>\s\x00-\x1f@]+@[^<>\s\x00-\x1f@]+)>")
_MADE: Final = "KEY_CREATED"


def make_key(private: Path, user_id: str, passphrase: str, *, algorithm: str, years: int) -> tuple[str, str]:
    """Return the armored secret and public texts of a new key that signs, with a subkey that encrypts.

    `user_id` is `Name <name@example.org>`. The key expires after `years` years. OpenPgpError where gpg refuses.
    """
    parts = _USER_ID.fullmatch(user_id)
    if parts is None:
        raise OpenPgpError("the user id is given as: Name <name@example.org>")
    if not passphrase:
        raise OpenPgpError("a secret key has a passphrase")
    wanted = f"{ALGORITHMS[algorithm]}Subkey-Usage: encrypt\nName-Real: {parts['name']}\nName-Email: {parts['mail']}\n"
    wanted += f"Expire-Date: {years}y\n"
    with Home(private, (), agent=True, s2k_count=_S2K_COUNT) as home:
        _, done = _run(home, ["--default-preference-list", PREFERENCES, "--gen-key"], wanted, passphrase)
        made = [status.arguments[-1] for status in done.found if status.keyword == _MADE]
        if done.code or not made:
            raise OpenPgpError(f"gpg made no key (exit code {done.code})")
        secret, exported = _run(home, ["--armor", "--export-secret-keys", made[0]], "", passphrase)
        if exported.code or not secret:
            raise OpenPgpError(f"gpg did not export the secret key (exit code {exported.code})")
        public, _ = _run(home, ["--armor", "--export", made[0]], "", None)
    return secret, public


def public_text(private: Path, key: Key) -> str:
    """Return the armored public part of a configured key."""
    with Home(private, [key]) as home:
        public, done = _run(home, ["--armor", "--export-options", "export-minimal", "--export"], "", None)
    if done.code or not public:
        raise KeyRefused(f"gpg did not export the key {key.name}")
    return public


def _run(home: Home, arguments: list[str], given: str, passphrase: str | None) -> tuple[str, program.Program]:
    made, done = program.run(
        [*home.options(), *arguments], given.encode(), descriptor=home.descriptor, passphrase=passphrase, idle=300
    )
    return made.decode(), done
