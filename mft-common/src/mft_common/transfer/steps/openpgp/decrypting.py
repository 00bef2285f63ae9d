"""The step that decrypts a message and verifies its signatures before it releases one byte."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from mft_common.endpoints.errors import os_errors
from mft_common.transfer.steps.openpgp import packets, program, statuses
from mft_common.transfer.steps.openpgp.errors import MessageRefused, OpenPgpError
from mft_common.transfer.steps.openpgp.home import Home
from mft_common.transfer.steps.private_files import blocks_of, unnamed_file, write_all

# More than zlib can make of each byte. Bzip2 makes more of repetitions, such as records filled up with blanks, and of
# what is made to fill a disk: such a message gets half of the room. Small messages may have any ratio.
_RATIO: Final = 1100
_SMALL: Final = 64 << 20


class Decrypt:
    """Decrypts with the secret key `key`, and takes signatures of the keys `verify` alone.

    Without `key` the message must be signed and not encrypted; without `verify` signatures are not looked at. What gpg
    writes is kept in a file without a name below the home's private folder; `finish` yields it after the last check.
    A message that unpacks to more than `limit` bytes is refused, and one that unpacks to more than 1,100 times its own
    bytes, more than 64 MiB and more than half of the room on the disk. `warnings` says where our own key has expired,
    which is no reason to refuse; with `expired` neither is it where a key that signed has.
    """

    def __init__(
        self,
        home: Home,
        key: str | None = None,
        *,
        verify: Sequence[str] = (),
        limit: int | None = None,
        expired: bool = False,
        idle: float = program.IDLE,
    ) -> None:
        if key is None and not verify:
            raise OpenPgpError("neither a key to decrypt with nor one to verify with is given")
        self.warnings: list[str] = []
        signers = [home.usable(name, "verify", expired=expired) for name in verify]
        self._allowed = {signer.listing.fingerprint for signer in signers}
        # Those that have expired, with what is said where one of them has signed.
        problems = {signer.listing.fingerprint: signer.listing.problem("verify", home.now()) for signer in signers}
        self._expired = {one: f"a key that signed {text}" for one, text in problems.items() if text}
        self._limit = limit
        self._head = b""
        self._fed = 0
        self._ours = None if key is None else home.usable(key, "decrypt")
        if self._ours is not None and (problem := self._ours.listing.problem("decrypt", home.now())):
            self.warnings.append(f"the key {key} {problem}")
        options = [] if verify else ["--skip-verify"]
        self._plain = unnamed_file(Path(home.private))
        self._size = 0
        try:
            self._program = program.Program(
                [*home.options(), *options, "--output", "-", "--decrypt"],
                descriptor=home.descriptor,
                passphrase=None if self._ours is None else self._ours.passphrase,
                keep=self._keep,
                idle=idle,
            )
        except BaseException:
            self._plain.close()
            raise

    def feed(self, block: bytes) -> Iterator[bytes]:
        """Give gpg a block; nothing is released."""
        if len(self._head) < packets.HEAD:
            self._head += block[: packets.HEAD - len(self._head)]
        self._fed += len(block)
        yield from self._program.feed(block)
        # gpg reads on to the end after a decryption that failed.
        failed = any(status.keyword == "DECRYPTION_FAILED" for status in self._program.found)
        if (failed or self._program.ended_early) and self._end():
            self._check()

    def finish(self) -> Iterator[bytes]:
        """Yield the plaintext after every check; MessageRefused or WrongPassphrase, and no byte, where one fails."""
        self._check()
        yield from blocks_of(self._plain)

    def close(self) -> None:
        """End gpg and remove the plaintext."""
        self._program.close()
        self._plain.close()

    def _keep(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._limit is not None and self._size > self._limit:
            raise MessageRefused(f"the message unpacks to more than {self._limit} bytes")
        with os_errors("a private file"):
            if self._size > max(_SMALL, self._fed * _RATIO) and self._size > self._room():
                raise MessageRefused(
                    f"the message unpacks to more than {_RATIO} times its bytes, and to half of the room on the disk"
                )
            write_all(self._plain, piece)

    def _room(self) -> int:
        """Return how many bytes the disk still takes."""
        disk = os.fstatvfs(self._plain.fileno())
        return disk.f_bavail * disk.f_frsize

    def _end(self) -> int:
        """Wait for gpg's end and return its exit code."""
        for _ in self._program.end():
            pass
        assert self._program.code is not None
        return self._program.code

    def _check(self) -> None:
        """Raise unless gpg, which is waited for, has found the message acceptable."""
        found, code = self._program.found, self._end()
        self._program.check_room()
        if self._allowed:
            # Before the decryption's own check: a wrong signature changes the exit code too, and is what to say.
            self._check_signature(code)
        if self._ours is not None:
            statuses.check_decrypted(code, found, packets.encryption_packet(self._head))
            statuses.check_key(found, self._ours.listing)

    def _check_signature(self, code: int) -> None:
        found = self._program.found
        decrypted = any(status.keyword == "DECRYPTION_OKAY" for status in found)
        if self._ours is not None and not decrypted:
            # Damaged, or for another key: the decryption's check says which.
            return
        if self._ours is None and any(status.keyword == "BEGIN_DECRYPTION" for status in found):
            raise MessageRefused("the message is encrypted where a signed one is expected")
        signed = statuses.check_signed(
            code, found, self._allowed, encrypted=self._ours is not None, expired=self._expired
        )
        self.warnings += [self._expired[one] for one in sorted(signed & self._expired.keys())]
