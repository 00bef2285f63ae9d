"""Encrypt, sign, decrypt and verify the files of one job with the keys that it was given (E33, E34)."""

from collections.abc import Iterable
from pathlib import Path
from typing import Self

from diplomat_svc.domain.transactions import OpenPgp
from mft_common.transfer.steps.openpgp import Decrypt, Encrypt, Home, Key


class Protection:
    """The steps of OpenPGP of one job; without `spec` there are none. `open` makes the home of its keys."""

    def __init__(self, spec: OpenPgp | None, keys: Iterable[Key], private: Path) -> None:
        self._spec = spec
        self._keys = tuple(keys)
        self._private = private
        self._home: Home | None = None

    def open(self) -> None:
        """Take the keys; KeyRefused, with its date, where one may not be used today: nothing is sent then.

        Keys to decrypt and to verify with may have expired: their files are delivered with a warning.
        """
        if self._spec is None:
            return
        self._home = Home(self._private, self._keys)
        for name in self._spec.encrypt:
            self._home.usable(name, "encrypt")
        if self._spec.sign is not None:
            self._home.usable(self._spec.sign, "sign")
        if self._spec.decrypt is not None:
            self._home.usable(self._spec.decrypt, "decrypt")
        for name in self._spec.verify:
            self._home.usable(name, "verify", expired=True)

    @property
    def encrypts(self) -> bool:
        """Whether files are encrypted or signed."""
        return self._spec is not None and bool(self._spec.encrypt or self._spec.sign)

    @property
    def decrypts(self) -> bool:
        """Whether files are decrypted or verified."""
        return self._spec is not None and bool(self._spec.decrypt or self._spec.verify)

    def encrypt(self) -> Encrypt:
        """Return the step of one file that signs and encrypts."""
        assert self._spec is not None
        assert self._home is not None
        return Encrypt(self._home, self._spec.encrypt, signer=self._spec.sign, armor=self._spec.armor)

    def decrypt(self) -> Decrypt:
        """Return the step of one file that decrypts and verifies, and says in its warnings which keys have expired."""
        assert self._spec is not None
        assert self._home is not None
        return Decrypt(self._home, self._spec.decrypt, verify=self._spec.verify, expired=True)

    @property
    def done(self) -> str:
        """One sentence about the protection of each file, for its record in the log."""
        if self._spec is None:
            return ""
        words = [
            ("signed with", (self._spec.sign,) if self._spec.sign else ()),
            ("encrypted for", self._spec.encrypt),
            ("decrypted with", (self._spec.decrypt,) if self._spec.decrypt else ()),
            ("signature of one of", self._spec.verify),
        ]
        text = ", ".join(f"{word} {' '.join(names)}" for word, names in words if names)
        return f"{text[0].upper()}{text[1:]}."

    def close(self) -> None:
        """Remove the home."""
        if self._home is not None:
            self._home.close()
            self._home = None

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()
