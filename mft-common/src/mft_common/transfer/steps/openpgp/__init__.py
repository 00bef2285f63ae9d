"""Encrypt, sign, decrypt and verify OpenPGP messages through gpg: a home and an agent for each job.

`Home(private, keys)` holds the keys of one job; `Encrypt` and `Decrypt` are the steps of one file each.
"""

from mft_common.transfer.steps.openpgp.decrypting import Decrypt
from mft_common.transfer.steps.openpgp.encrypting import Encrypt
from mft_common.transfer.steps.openpgp.errors import (
    KeyRefused,
    MessageRefused,
    OpenPgpError,
    ProgramMissing,
    WrongPassphrase,
)
from mft_common.transfer.steps.openpgp.home import Home, remove_homes
from mft_common.transfer.steps.openpgp.keys import Key, read_key, read_keys
from mft_common.transfer.steps.openpgp.making import ALGORITHMS, make_key, public_text

__all__ = [
    "ALGORITHMS",
    "Decrypt",
    "Encrypt",
    "Home",
    "Key",
    "KeyRefused",
    "MessageRefused",
    "OpenPgpError",
    "ProgramMissing",
    "WrongPassphrase",
    "make_key",
    "public_text",
    "read_key",
    "read_keys",
    "remove_homes",
]
