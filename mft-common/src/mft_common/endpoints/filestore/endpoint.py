"""A folder of the hub's own store."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from mft_common.endpoints.closing import Closing
from mft_common.endpoints.contract import (
    Checkpoint,
    Entry,
    Features,
    IfExists,
    Skipped,
    ignore,
)
from mft_common.endpoints.errors import Changed, Exists, NotFound, Unsupported
from mft_common.endpoints.filestore.calls import Calls, quoted, spool_folder
from mft_common.endpoints.filestore.reader import EmptyReader, FilestoreReader, entry_of, open_reader
from mft_common.endpoints.filestore.writer import FilestoreWriter
from mft_common.endpoints.names import Patterns, check_path
from mft_common.identity import Signer

_PAGE: Final = 1000
_FEATURES: Final = Features(
    resume_read=True,
    resume_write=True,
    atomic_replace=True,
    exact_deletion=True,
    exclusive_create=True,
    modified_at=True,
    checksums=("sha256",),
    visible_at_commit=True,
    renaming=False,
)


@dataclass(frozen=True)
class Filestore:
    """The way to filestore-svc: `http://host:port`, or `unix:PATH` for the hub of one machine.

    Requests are signed with the last of `keys`. `spool` is the folder in which files of unknown size wait; beside the
    socket where it is not given.
    """

    url: str
    keys: tuple[str, ...] = field(repr=False)
    spool: str | None = None

    @classmethod
    def configured(cls, url: str | None, keys: tuple[str, ...] | None, state: Path) -> Self | None:
        """Return the way that a service's settings name, with a spool below its folder `state`; None without one."""
        if url is None or not keys:
            return None
        spool = state / "spool"
        spool.mkdir(parents=True, exist_ok=True, mode=0o700)
        return cls(url, keys, str(spool))

    def open(self, folder: str, transfer_id: str | None = None) -> "FilestoreEndpoint":
        """Return an endpoint for `/folder`; its bytes belong to the transfer `transfer_id`."""
        calls = Calls(self.url.rstrip("/"), Signer(self.keys), transfer_id)
        return FilestoreEndpoint(calls, folder, self.spool or spool_folder(self.url))


class FilestoreEndpoint(Closing):
    """A folder of the hub's own store, reached as the account `system`."""

    features = _FEATURES

    def __init__(self, calls: Calls, folder: str, spool: str | None = None) -> None:
        self._calls = calls
        self._folder = "/".join(step for step in folder.split("/") if step)
        self._spool = spool

    def list(self, patterns: Patterns, *, recursive: bool = False, skipped: Skipped = ignore) -> Iterator[Entry]:
        """Yield the files that match, page by page, in the order of their names."""
        del skipped
        if recursive:
            raise Unsupported(f"filestore:/{self._folder}: folders below are not listed")
        return self._pages(patterns)

    def _pages(self, patterns: Patterns) -> Iterator[Entry]:
        pattern = patterns.texts[0] if len(patterns.texts) == 1 else "*"
        after = ""
        while True:
            query = {"pattern": pattern, "after": after, "limit": str(_PAGE)}
            answer = self._calls.call("GET", f"folders/{quoted(self._folder)}", self._folder, query=query)
            for file in answer["files"]:
                if patterns.match(file["name"]):
                    yield Entry(
                        file["name"], file["size"], file["modified_at"], str(file["fileset"]), file["sha256"].lower()
                    )
            if len(answer["files"]) < _PAGE:
                return
            after = answer["files"][-1]["name"]

    def stat(self, path: str) -> Entry:
        """Return the file of a path, "" for this folder."""
        if not path:
            self._calls.call("GET", f"folders/{quoted(self._folder)}", self._folder, query={"limit": "1"})
            return Entry("", kind="folder")
        connection, answer = self._calls.opened("HEAD", f"files/{quoted(self._folder, check_path(path))}", path)
        answer.close()
        connection.close()
        return entry_of(path, answer, int(answer.headers.get("Content-Length") or 0))

    def open(self, entry: Entry, start: int = 0) -> FilestoreReader | EmptyReader:
        """Open a listed file as it is now; with `start` only the fileset that was listed."""
        check_path(entry.path)
        return open_reader(self._calls, self._folder, entry, start)

    def writer(
        self, path: str, *, token: str, size: int | None = None, resume: Checkpoint | None = None,
        modified_at: int | None = None, if_exists: IfExists = "replace",
    ) -> FilestoreWriter:  # fmt: skip
        """Return a writer to `path` whose unfinished upload belongs to `token`."""
        del modified_at
        return FilestoreWriter(
            self._calls, self._folder, check_path(path), token=token, size=size, resume=resume, if_exists=if_exists,
            spool=self._spool,
        )  # fmt: skip

    def rename(self, path: str, target: str) -> None:
        """Raise Unsupported: a file of the store keeps its name."""
        raise Unsupported(f"{path}: a file of filestore is not renamed to {target}")

    def delete(self, entry: Entry, *, token: str) -> None:
        """Delete a listed file; Changed when another content has its name by now."""
        del token
        query = {"fileset": entry.version} if entry.version else {}
        path = check_path(entry.path)
        try:
            self._calls.call("DELETE", f"files/{quoted(self._folder, path)}", path, query=query)
        except Exists as error:
            raise Changed(f"{path}: changed since it was read, so it was not deleted") from error

    def make_folder(self, path: str) -> None:
        """Raise Unsupported: the configuration names the folders of the store."""
        raise Unsupported(f"{path}: folders of filestore are made by the configuration")

    def sweep(self, token: str, temporaries: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Remove every unfinished upload of `token` into this folder and those below; return their names."""
        del temporaries
        try:
            answer = self._calls.call("DELETE", f"uploads/{quoted(self._folder)}", self._folder, query={"token": token})
        except NotFound:
            return ()
        return tuple(answer["removed"])

    def close(self) -> None:
        """Do nothing: no connection is kept."""
