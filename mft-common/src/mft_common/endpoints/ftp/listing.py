"""List folders of an FTP server, by MLSD where it knows that, else by LIST."""

from collections.abc import Callable, Iterator
from typing import Final

from mft_common import logs
from mft_common.endpoints.contract import BLOCK, Entry, Skipped
from mft_common.endpoints.errors import BadName, Denied, NotFound, TransferError, Transient, Unsupported
from mft_common.endpoints.former import former_name
from mft_common.endpoints.ftp import replies
from mft_common.endpoints.ftp.lines import Line, parse_facts, parse_list
from mft_common.endpoints.ftp.places import Place
from mft_common.endpoints.ftp.session import Connections, Session
from mft_common.endpoints.names import Patterns, check_name, is_temporary

# Folders below each other that a listing enters: servers that follow links can show a folder within itself.
_DEEPEST: Final = 64
# Bytes of the listing of one folder, which is held in memory: more than a million names.
_LARGEST: Final = 256 << 20


class Listing:
    """The names below an endpoint's folder, those of one folder at a time in memory."""

    def __init__(self, connections: Connections, place: Place) -> None:
        self._connections = connections
        self._place = place

    def files(self, patterns: Patterns, skipped: Skipped, *, recursive: bool) -> Iterator[Entry]:
        """Yield the matching files, those of a folder before those of its folders."""
        for path, line in self._walk(skipped, recursive=recursive):
            if patterns.match(line.name):
                yield Entry(path, line.size, line.modified_at, line.version)

    def temporaries(self, token: str, *, recursive: bool) -> list[str]:
        """Return the paths of the unfinished files of a token, files that were moved aside first."""
        found = [
            path
            for path, line in self._walk(lambda _path, _why: None, recursive=recursive)
            if is_temporary(line.name, token)
        ]
        return sorted(found, key=lambda path: former_name(path.rpartition("/")[2], token) is None)

    def _walk(self, skipped: Skipped, *, recursive: bool) -> Iterator[tuple[str, Line]]:
        waiting: list[tuple[str, tuple[str, ...]]] = [("", ())]
        while waiting:
            folder, above = waiting.pop()
            try:
                lines = self._lines(folder, skipped)
            except (NotFound, Denied) as error:
                if not folder:
                    raise
                skipped(folder, str(error))
                continue
            below = []
            for line in lines:
                path = f"{folder}/{line.name}" if folder else line.name
                if line.kind == "file":
                    yield path, line
                elif line.kind != "folder":
                    skipped(path, "is a link or a special file")
                elif recursive and (line.identity in above or len(above) >= _DEEPEST):
                    skipped(path, "is a folder that holds itself")
                elif recursive:
                    identity = line.identity or f"path:{path}"
                    below.append((path, (*above, identity)))
            waiting += reversed(below)

    def _lines(self, folder: str, skipped: Skipped) -> list[Line]:
        """Return the names of one folder that can be transferred."""
        with self._connections.session() as session:
            self._enter(session, folder)
            texts, parse = self._texts(session, folder)
        found: dict[str, Line] = {}
        unknown = 0
        for text in texts:
            line = parse(text)
            if line is None:
                unknown += 1
            elif line.name in found:
                # One of the two is another name with a line's end in it; which one cannot be told.
                path = f"{folder}/{line.name}" if folder else line.name
                skipped(path, "is listed twice, because another name holds a line's end")
            elif line.kind != "itself" and _can_be_named(line.name, folder, skipped):
                found[line.name] = line
        if unknown:
            log = logs.get("endpoints.ftp")
            log.warning("ftp.listing_lines_unknown", folder=replies.shown(folder), lines=unknown)
            skipped(folder, f"{unknown} lines of the server's listing are of an unknown form")
        return list(found.values())

    def _enter(self, session: Session, folder: str) -> None:
        full = self._place.full(folder)
        try:
            session.command(f"CWD {full}", folder)
        except TransferError as error:
            raise session.explained(error, full, folder) from error

    def _texts(self, session: Session, folder: str) -> tuple[list[str], Callable[[str], Line | None]]:
        """Return the lines of the current folder's listing, and the function that reads them.

        No name is an argument: some servers take a leading dash for options and brackets for a pattern. `-a` shows the
        names with a leading dot, as those of unfinished files; servers without options have no file of that name.
        """
        if session.lists_facts:
            return _listed(session, "MLSD", folder), parse_facts
        try:
            texts = _listed(session, "LIST -a", folder)
        except Transient:
            raise
        except TransferError:
            texts = []
        return texts or _listed(session, "LIST", folder), parse_list


def _listed(session: Session, command: str, folder: str) -> list[str]:
    data = session.transfer(command, folder, mode="binary")
    try:
        blocks: list[bytes] = []
        while block := data.read(BLOCK):
            blocks.append(block)
            if len(blocks) * BLOCK > _LARGEST:
                raise Unsupported(f"{replies.shown(folder)}: the listing is too large")  # noqa: TRY301 -- closes it
        data.finish()
    except BaseException:
        data.drop()
        raise
    content = b"".join(blocks).decode("utf-8", "surrogateescape")
    return [line.removesuffix("\r") for line in content.split("\n") if line.removesuffix("\r")]


def _can_be_named(name: str, folder: str, skipped: Skipped) -> bool:
    if is_temporary(name):
        return True
    path = f"{folder}/{name}" if folder else name
    try:
        check_name(name)
    except BadName as error:
        skipped(path, str(error))
        return False
    if "\r" in name:
        skipped(path, "cannot be named in a command of FTP")
        return False
    return True
