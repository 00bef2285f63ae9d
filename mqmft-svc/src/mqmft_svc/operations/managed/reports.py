"""Report from a child how the files of a transfer go; the worker writes each report before the child goes on."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from mft_common.process.runner import CHECKPOINT, PROGRESS, Channel
from mqmft_svc.domain.managed_files import ManagedFile

FILES: Final = "files"
FOUND: Final = "found"
# Asks for the word that the transfer is still the worker's.
HELD: Final = "transfer_held"
BEGAN_FILE: Final = "began"
DELIVERED: Final = "delivered"
# Not `ended`, which is the end of the child.
ENDED_FILE: Final = "file_ended"
# The files of one message, which has a limit of bytes as well.
PAGE: Final = 1000
_PAGE_BYTES: Final = 1 << 20


class Reports:
    """The messages of one run."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def known(self, after: int) -> Iterator[ManagedFile]:
        """Yield the files of an earlier run behind a position, page by page."""
        while page := self._channel.ask(FILES, {"after": after}):
            yield from map(ManagedFile.from_json, page)
            after = page[-1]["position"]

    def found(self, files: Iterable[ManagedFile]) -> None:
        """Report files that were found; those that cannot be moved have failed already."""
        page: list[dict[str, Any]] = []
        size = 0
        for file in files:
            page.append(file.to_json())
            # A character of a name has six bytes at most in a message.
            size += 6 * (len(file.source) + len(file.destination) + len(file.description))
            if len(page) == PAGE or size > _PAGE_BYTES:
                self._channel.ask(FOUND, page)
                page, size = [], 0
        if page:
            self._channel.ask(FOUND, page)

    def began(self, file: ManagedFile) -> None:
        """Report that a file moves; the return means that the name of its unfinished file is stored."""
        data = {"position": file.position, "temporary": file.temporary}
        self._channel.ask(BEGAN_FILE, {**data, "size": file.size, "modified_at": file.modified_at})

    def progress(self, position: int, bytes_done: int) -> None:
        """Report how many bytes of a file were read."""
        self._channel.tell(PROGRESS, {"position": position, "bytes_done": bytes_done})

    def checkpoint(self, position: int, checkpoint: Mapping[str, Any]) -> None:
        """Report how far a file is; the return means that another run can go on from there."""
        self._channel.ask(CHECKPOINT, {"position": position, "checkpoint": dict(checkpoint)})

    def check_commit(self, position: int, checkpoint: Mapping[str, Any] | None) -> None:
        """Return when the file may become visible, and what proves its commit is stored; CommitRefused.

        That comes where the transfer is no longer the worker's, or is to stop.
        """
        self._channel.may_commit({"position": position, "checkpoint": checkpoint})

    def delivered(self, file: ManagedFile) -> None:
        """Report that a file is at its destination durably, while something is left to do about its source."""
        self._channel.ask(DELIVERED, file.to_json())

    def ended(self, file: ManagedFile) -> None:
        """Report that a file is over, which another run would find out too: nobody waits for it to be stored."""
        self._channel.tell(ENDED_FILE, file.to_json())
