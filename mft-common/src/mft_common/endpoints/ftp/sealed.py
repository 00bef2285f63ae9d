"""Compare files of an FTP server with one that was sealed, by what listings tell and by content."""

import contextlib
import hashlib
from dataclasses import dataclass
from typing import Final

from mft_common.endpoints.contract import BLOCK
from mft_common.endpoints.errors import Mismatch, TransferError
from mft_common.endpoints.ftp.lines import Line
from mft_common.endpoints.ftp.replies import shown
from mft_common.endpoints.ftp.session import Session
from mft_common.endpoints.ftp.text import FromNetwork
from mft_common.endpoints.targets import Mode

NOT_READ_BACK: Final = "the checksum was not compared, because the server does not let the file be read"


@dataclass(frozen=True)
class Sealed:
    """A file as it was compared under its temporary name.

    `digest` is the SHA-256 of what the server gives back, for a text with our line ends. `version` is that of its
    listing, "" where the server told none. `session` is the one that compared it.
    """

    size: int
    sha256: str
    digest: str
    mode: Mode
    version: str
    session: Session

    def is_at(self, session: Session, full: str, name: str, *, found: Line, former: Line | None) -> bool:
        """Return whether the final name has this file; `former` was there before the rename, `found` is there now."""
        if found.kind != "file" or self._has_other_size(found):
            return False
        changed = former is None or (former.size, former.version) != (found.size, found.version)
        if changed and self.version and found.version == self.version:
            # It names size, time and, where the server tells it, the file itself.
            return True
        read = digest_of(session, full, name, self.mode)
        if read is None:
            return changed and found.size is not None
        return read == self.digest

    def compare_again(self, session: Session, full: str, name: str, found: Line) -> str:
        """Compare the temporary file over another connection: no server says that bytes are durable.

        Return a warning where the server does not let the file be read; Mismatch.
        """
        if self._has_other_size(found):
            raise Mismatch(f"{shown(name)}: has {found.size} bytes of {self.size} since the connection was lost")
        read = digest_of(session, full, name, self.mode)
        if read is None:
            return NOT_READ_BACK
        if read != self.digest:
            raise Mismatch(f"{shown(name)}: has another checksum since the connection was lost")
        return ""

    def _has_other_size(self, found: Line) -> bool:
        # A text has another size at the server.
        return self.mode == "binary" and found.size not in (None, self.size)


def digest_of(session: Session, full: str, name: str, mode: Mode) -> str | None:
    """Return the SHA-256 of a file, by the server or by reading it; None where the server allows neither."""
    if mode == "binary" and (found := session.sha256(full, name)) is not None:
        return found
    try:
        data = session.transfer(f"RETR {full}", name, mode=mode)
    except TransferError as error:
        if error.heals:
            raise
        return None
    digest, text = hashlib.sha256(), FromNetwork()
    with contextlib.ExitStack() as stack:
        stack.callback(data.drop)
        while block := data.read(BLOCK):
            digest.update(text.feed(block) if mode == "ascii" else block)
        data.finish()
        stack.pop_all()
    digest.update(text.finish())
    return digest.hexdigest()
