"""Compare files of the server with one that was sealed over a connection that is lost."""

from dataclasses import dataclass
from typing import Final

import asyncssh

from mft_common.endpoints.contract import Verify
from mft_common.endpoints.errors import Mismatch
from mft_common.endpoints.sftp.connection import Connection, Session
from mft_common.endpoints.sftp.reader import digest_of

NOT_READ_BACK: Final = "the checksum was not compared, because the server does not let the file be read"


@dataclass(frozen=True)
class Sealed:
    """A file as it was compared while it was open.

    `time` is that of its last change in seconds since the epoch, None where the server did not tell. `durable` says
    whether the server confirmed an fsync of all bytes.
    """

    size: int
    sha256: str
    verify: Verify
    time: int | None
    durable: bool

    def is_at(
        self, connection: Connection, session: Session, full: bytes, name: str,
        *, found: asyncssh.SFTPAttrs, former: asyncssh.SFTPAttrs | None,
    ) -> bool:  # fmt: skip
        """Return whether the final name has this file; `former` was there before the rename, `found` is there now.

        Size and time prove it where the former file had others; else the content decides.
        """
        if found.type == asyncssh.FILEXFER_TYPE_DIRECTORY or found.size not in (None, self.size):
            return False
        changed = former is None or (former.size, former.mtime) != (found.size, found.mtime)
        if changed and found.size is not None and found.mtime is not None and found.mtime == self.time:
            return True
        read = digest_of(connection, session, full, name, self.size)
        if read is None:
            return changed and found.size is not None
        return read == (self.size, self.sha256)

    def compare_again(
        self, connection: Connection, session: Session, full: bytes, name: str, found: asyncssh.SFTPAttrs
    ) -> str:
        """Compare the temporary file over another connection than the one that wrote it; return a warning, or Mismatch.

        The content is read where that was asked for, and where the server may have lost bytes: it confirmed no fsync,
        or the time of the last change is another one.
        """
        if found.size not in (None, self.size):
            raise Mismatch(f"{name}: has {found.size} bytes of {self.size} since the connection was lost")
        unchanged = self.durable and found.size is not None and found.mtime is not None and found.mtime == self.time
        if self.verify == "size" and unchanged:
            return ""
        read = digest_of(connection, session, full, name, self.size)
        if read is None:
            return NOT_READ_BACK
        if read != (self.size, self.sha256):
            raise Mismatch(f"{name}: has another checksum since the connection was lost")
        return ""
