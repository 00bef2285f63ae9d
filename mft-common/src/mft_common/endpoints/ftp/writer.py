"""Write one file of an FTP server: temporary name, comparison, rename."""

import contextlib
import hashlib
from dataclasses import replace
from typing import Final

from mft_common import logs
from mft_common.endpoints.contract import Begins, Checkpoint, IfExists, Stored, Verify, note_nothing
from mft_common.endpoints.errors import BadName, Mismatch, NotFound, TransferError, Transient
from mft_common.endpoints.ftp.data import Data
from mft_common.endpoints.ftp.lines import Line, format_time
from mft_common.endpoints.ftp.places import Place
from mft_common.endpoints.ftp.publish import (
    Names,
    check_target,
    discard_former,
    publish,
    remove,
    restore_former,
)
from mft_common.endpoints.ftp.replies import shown
from mft_common.endpoints.ftp.sealed import NOT_READ_BACK, Sealed, digest_of
from mft_common.endpoints.ftp.session import Connections, Session
from mft_common.endpoints.ftp.text import FromNetwork, ToNetwork
from mft_common.endpoints.targets import Mode

NO_SIZE: Final = "the size was not compared, because the server does not tell it"


class FtpWriter:
    """A file on its way in. Everything is compared on the temporary name, and nothing is asked after the rename."""

    def __init__(
        self, connections: Connections, place: Place, path: str, *, token: str, mode: Mode, resume: Checkpoint | None,
        resumes: bool, modified_at: int | None, if_exists: IfExists,
    ) -> None:  # fmt: skip
        self._names = Names.of(place, path, token)
        self.temporary = self._names.temporary
        self._folder = place.full(path.rpartition("/")[0])
        self._name = path
        self._connections = connections
        self._mode = mode
        self._resume = resume
        self._resumes = resumes
        self._modified_at = modified_at
        self._if_exists = if_exists
        # The session of the open transfer; None between transfers.
        self._session: Session | None = None
        self._data: Data | None = None
        self._broken = False
        self._text = ToNetwork()
        self._sent_text = FromNetwork()
        self._text_digest = hashlib.sha256()
        self._position = 0
        # Whether the temporary file may exist, was compared, whether renames were asked for, and without an answer.
        self._made = False
        self._sealed: Sealed | None = None
        self._renaming = False
        self._committing = False
        self._committed: Stored | None = None
        # The file that had the final name when the rename was asked for.
        self._former: Line | None = None
        self._warnings: list[str] = []

    def begin(self, begins: Begins = note_nothing) -> int:
        """Find the temporary file of the checkpoint, or make a new one in place of what an earlier try left."""
        begins(self.temporary)
        with self._connections.session() as session:
            if self._resume is not None:
                restore_former(session, self._names)
            check_target(session, self._names, self._if_exists)
            # Set before the request: one that fails may have made the file nevertheless.
            self._made = True
            self._position = self._resumed(session)
            if not self._position:
                self._make_room(session)
        self._open()
        return self._position

    def _resumed(self, session: Session) -> int:
        """Return the byte of the checkpoint where the temporary file holds as many, else 0."""
        if self._resume is None or not self._resumes or not self._resume.position:
            return 0
        size = session.size(self._names.part, self._name)
        return self._resume.position if size is not None and size >= self._resume.position else 0

    def _make_room(self, session: Session) -> None:
        """Remove what an earlier try left, instead of emptying it: a former connection may still be writing to that."""
        if session.attempt(f"DELE {self._names.part}", self._name) is not None:
            restore_former(session, self._names, unfinished=True)
        if _replaced(self._name) != self._name:
            self._check_bytes(session)

    def _check_bytes(self, session: Session) -> None:
        """Raise BadName unless the server keeps the bytes of a name: some replace those that are not UTF-8.

        Two names could become one there, and one file would replace the other.
        """
        part = self._names.part
        self._store(session, f"STOR {part}").finish()
        replaced = _replaced(part)
        for other in {replaced, replaced.replace("\ufffd", "?")}:
            if session.size(other, self._name) is not None:
                remove(session, other, self._name)
                self._made = False
                raise BadName(f"{shown(self._name)}: the server keeps no names that are not UTF-8")
        remove(session, part, self._name)

    def _open(self) -> None:
        """Begin or continue the transfer of bytes at the present position."""
        session = self._connections.take()
        try:
            # REST and STOR write at a place: bytes that a former connection still writes there are the same ones.
            self._data = self._store(session, f"STOR {self._names.part}", self._position)
        except BaseException:
            self._connections.give(session)
            raise
        self._session = session

    def _store(self, session: Session, command: str, position: int = 0) -> Data:
        try:
            return session.transfer(command, self._name, mode=self._mode, rest=position)
        except TransferError as error:
            if error.heals or not session.usable:
                raise
            if position and session.size(self._names.part, self._name) == position:
                # A server that takes REST for downloads alone.
                return session.transfer(f"APPE {self._names.part}", self._name, mode=self._mode)
            raise self._refused(session, error) from error

    def _refused(self, session: Session, error: TransferError) -> TransferError:
        line = session.lookup(self._folder, self._name)
        if line is None or line.kind != "folder":
            return NotFound(f"{shown(self._name)}: its folder does not exist")
        return error

    def feed(self, block: bytes | memoryview) -> None:
        """Send a block."""
        self._check_whole()
        if self._data is None:
            self._open()
        data = self._data
        assert data is not None
        count = len(block)
        if self._mode == "ascii":
            block = self._text.feed(bytes(block))
            self._text_digest.update(self._sent_text.feed(block))
        try:
            data.write(block)
        except BaseException:
            self._lose()
            raise
        self._position += count

    def _check_whole(self) -> None:
        if self._broken:
            raise Transient(f"{shown(self._name)}: the connection broke")

    def _lose(self) -> None:
        """Give the broken transfer up: nothing more can be fed."""
        data, self._data, self._session = self._data, None, None
        self._broken = True
        if data is not None:
            data.drop()

    def _finish(self) -> None:
        """End the transfer and read the answer: one of failure is one, however many bytes arrived."""
        data, session = self._data, self._session
        if data is None or session is None:
            return
        try:
            data.finish()
        except BaseException:
            self._lose()
            raise
        self._data = self._session = None
        self._connections.give(session)

    def flush(self) -> Checkpoint:
        """End the transfer, so that the server says that it has the bytes; the next block begins another."""
        self._check_whole()
        if not self._resumes:
            return Checkpoint(0)
        self._finish()
        return Checkpoint(self._position)

    def seal(self, size: int, sha256: str, verify: Verify) -> bool:
        """Compare the size, and where it is asked for the checksum, which is read back where the server computes none.

        A text (type ASCII) has another size at the server; its checksum is compared with our own line ends.
        """
        self._check_whole()
        self._finish()
        self._text_digest.update(self._sent_text.finish())
        digest = self._text_digest.hexdigest() if self._mode == "ascii" else sha256
        warning = version = ""
        with self._connections.session() as session:
            self._set_time(session)
            if self._mode == "binary":
                warning, version = self._compare_size(session, size)
            if verify == "sha256":
                warning = self._compare_digest(session, digest)
        self._warnings = [warning]
        self._sealed = Sealed(size, sha256, digest, self._mode, version, session)
        return True

    def _set_time(self, session: Session) -> None:
        if self._modified_at is None or "mfmt" not in session.offers:
            return
        stamp = format_time(self._modified_at)
        if stamp is None or session.attempt(f"MFMT {stamp} {self._names.part}", self._name) is None:
            logs.get("endpoints.ftp").info("ftp.time_not_set", file=shown(self._name))

    def _compare_size(self, session: Session, size: int) -> tuple[str, str]:
        """Return a warning, and the version of the written file, where the server tells it; Mismatch."""
        line = session.lookup(self._names.part, self._name) if session.lists_facts else None
        arrived = session.size(self._names.part, self._name) if line is None else line.size
        if arrived is None:
            if session.lookup(self._names.part, self._name) is None:
                raise Mismatch(f"{shown(self._name)}: the written file is gone")
            return NO_SIZE, ""
        if arrived != size:
            raise Mismatch(f"{shown(self._name)}: {arrived} bytes arrived of {size}")
        return "", "" if line is None else line.version

    def _compare_digest(self, session: Session, expected: str) -> str:
        found = digest_of(session, self._names.part, self._name, self._mode)
        if found is None:
            return NOT_READ_BACK
        if found != expected:
            raise Mismatch(f"{shown(self._name)}: the written bytes read back with another checksum")
        return ""

    def commit(self) -> Stored:
        """Rename the file; may be called again after Transient, then over a new connection."""
        if self._committed is None:
            if self._sealed is None:
                raise Mismatch(f"{shown(self._name)}: was not compared with its source, so it gets no name")
            with self._connections.session() as session:
                self._committed = self._commit(session, self._sealed)
        return self._committed

    def _commit(self, session: Session, sealed: Sealed) -> Stored:
        if self._committing and (found := self._delivered(session)) is not None:
            return found
        if self._committing or not sealed.session.usable:
            self._compare_again(session, sealed)
        former = check_target(session, self._names, self._if_exists)
        self._former, self._renaming, self._committing = former, True, True
        try:
            warning = publish(session, self._names, self._if_exists)
        except TransferError as error:
            # Without an answer the rename may have been carried out; with one it was refused.
            self._committing = error.heals
            raise
        return self._result(replaced=former is not None, warning=warning)

    def _compare_again(self, session: Session, sealed: Sealed) -> None:
        """Compare the temporary file once more after a lost connection; Mismatch where it is gone."""
        self._restore(session)
        part = session.lookup(self._names.part, self._name)
        if part is None:
            raise Mismatch(f"{shown(self._name)}: the written file is gone, and nothing proves that it was delivered")
        warning = sealed.compare_again(session, self._names.part, self._name, part)
        self._warnings = [*self._warnings, warning]
        self._sealed = replace(sealed, session=session)

    def _restore(self, session: Session) -> None:
        # Refused renames may have left the former file aside too.
        if self._renaming:
            restore_former(session, self._names)

    def _result(self, *, replaced: bool | None, warning: str) -> Stored:
        sealed = self._sealed
        assert sealed is not None
        text = "; ".join(dict.fromkeys(filter(None, [*self._warnings, warning])))
        return Stored(sealed.size, sealed.sha256, replaced=replaced, warning=text)

    def _delivered(self, session: Session) -> Stored | None:
        """Return the delivered file where a rename without an answer was carried out, else None."""
        sealed, names = self._sealed, self._names
        assert sealed is not None
        if session.lookup(names.part, self._name) is not None:
            return None
        final = session.lookup(names.final, self._name)
        if final is None or not sealed.is_at(session, names.final, self._name, found=final, former=self._former):
            return None
        return self._result(replaced=None, warning=discard_former(session, names))

    def abort(self, *, keep: bool = False) -> Stored | None:
        """Remove the temporary file, or keep it; works over a new connection where the former one is lost."""
        with contextlib.suppress(TransferError):
            self._finish()
        if self._committed is not None or not self._made or (keep and not self._renaming):
            return None
        with self._connections.session() as session:
            if self._committing and (found := self._delivered(session)) is not None:
                self._committed = found
                return found
            self._restore(session)
            if not keep:
                remove(session, self._names.part, self._name)
                self._made = False
        return None


def _replaced(path: str) -> str:
    """Return a path in which bytes that are not UTF-8 are U+FFFD."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
