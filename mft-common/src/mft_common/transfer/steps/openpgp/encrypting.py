"""The step that signs and encrypts a file in one message, or does one of both."""

from collections.abc import Iterator, Sequence
from typing import Final

from mft_common.transfer.steps.openpgp import program, statuses
from mft_common.transfer.steps.openpgp.errors import OpenPgpError
from mft_common.transfer.steps.openpgp.home import Home

# --rfc4880 comes first: it sets the others. It asks for packet 18; `check_protection` sees to it.
_FORMAT: Final = ("--rfc4880", "--cipher-algo", "AES256", "--digest-algo", "SHA512", "--compress-algo", "none")


class Encrypt:
    """Encrypts for all `recipients` after signing as `signer`; without recipients it signs, and the text is readable.

    KeyRefused when it is made, before anything is sent, where one of the keys may not be used today. Nothing passes
    before gpg said that it protects the message with AES-256 in packet 18.
    """

    def __init__(
        self,
        home: Home,
        recipients: Sequence[str] = (),
        *,
        signer: str | None = None,
        armor: bool = False,
        idle: float = program.IDLE,
    ) -> None:
        if not recipients and signer is None:
            raise OpenPgpError("neither a recipient nor a signer is given")
        options = [*_FORMAT, "--armor" if armor else "--no-armor"]
        for name in dict.fromkeys(recipients):
            options += ["--recipient", home.usable(name, "encrypt").listing.fingerprint]
        signing = None if signer is None else home.usable(signer, "sign")
        if signing is not None:
            options += ["--local-user", signing.listing.fingerprint, "--sign"]
        self._encrypt = bool(recipients)
        if self._encrypt:
            options.append("--encrypt")
        self._sign = signing is not None
        self._held: list[bytes] = []
        self._protected = not self._encrypt
        self._program = program.Program(
            [*home.options(), *options, "--output", "-"],
            descriptor=home.descriptor,
            passphrase=None if signing is None else signing.passphrase,
            idle=idle,
        )

    def feed(self, block: bytes) -> Iterator[bytes]:
        """Return what gpg has made so far."""
        for made in self._program.feed(block):
            yield from self._release(made)
        if self._program.ended_early:
            # gpg reads its whole input where nothing is wrong.
            yield from self.finish()

    def finish(self) -> Iterator[bytes]:
        """Return the rest; raise unless gpg says that the message is whole."""
        for made in self._program.end():
            yield from self._release(made)
        assert self._program.code is not None
        self._program.check_room()
        statuses.check_made(self._program.code, self._program.found, encrypt=self._encrypt, sign=self._sign)

    def close(self) -> None:
        """End gpg."""
        self._program.close()

    def _release(self, made: bytes) -> Iterator[bytes]:
        """Yield output once the protection is known to be the right one."""
        self._held.append(made)
        if not self._protected:
            if not any(status.keyword == "BEGIN_ENCRYPTION" for status in self._program.found):
                return
            statuses.check_protection(self._program.found)
            self._protected = True
        held = self._held[:]
        self._held.clear()
        yield from held
