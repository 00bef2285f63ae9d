"""Report from a child to its worker, and ask it; the worker stores each report before the child goes on."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal

from mft_common.endpoints.names import printable
from mft_common.process.runner import Channel
from sertainty_svc.domain.executions import ExecutionFile
from sertainty_svc.operations.running import messages

Level = Literal["Info", "Warning", "Error"]
# The files of one message have a limit of bytes as well.
_PAGE_BYTES: Final = 1 << 20


class Reports:
    """The messages of one execution."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def may_go_on(self) -> bool:
        """Return whether the next file may begin."""
        return self._channel.ask(messages.MAY_GO_ON) is True

    def files(self) -> Iterator[ExecutionFile]:
        """Yield the files that are not over, page by page."""
        after = -1
        while page := self._channel.ask(messages.FILES, {"after": after}):
            yield from map(ExecutionFile.from_json, page)
            after = page[-1]["position"]

    def found(self, files: Iterable[ExecutionFile]) -> None:
        """Report the files that a Time task found; the return means that they are stored, and that these are all."""
        page: list[dict[str, Any]] = []
        size = 0
        for file in files:
            page.append(file.to_json())
            # A character of a path has six bytes at most in a message.
            size += 6 * len(file.path)
            if len(page) == messages.PAGE or size > _PAGE_BYTES:
                self._channel.ask(messages.FOUND, {"files": page, "all": False})
                page, size = [], 0
        self._channel.ask(messages.FOUND, {"files": page, "all": True})

    def changed(self, file: ExecutionFile) -> None:
        """Report a file as it is now; the return means that it is stored."""
        self._channel.ask(messages.CHANGED, file.to_json())

    def ran(self, runs: int, *, done: bool = False) -> None:
        """Report how often the script of a Time task has run, and whether it has succeeded; the return means stored."""
        self._channel.ask(messages.RAN, {"runs": runs, "done": done})

    def progress(self, position: int, bytes_done: int) -> None:
        """Report how many bytes of a file were read."""
        self._channel.tell(messages.PROGRESS, {"position": position, "bytes_done": bytes_done})

    def check_commit(self, file: ExecutionFile) -> None:
        """Return when a file may become visible, and what proves its commit is stored; CommitRefused."""
        self._channel.may_commit(file.to_json())

    def find_ids(self, uid: str) -> list[str]:
        """Return the contents in Base64 of the IDs of that id, the first one that is meant first."""
        found: list[str] = self._channel.ask(messages.FIND_IDS, {"uid": uid})
        return found

    def find_unproved(self, path: str) -> ExecutionFile | None:
        """Return the file of a path whose commit an earlier execution has left unproved."""
        found = self._channel.ask(messages.FIND_UNPROVED, {"path": path})
        return None if found is None else ExecutionFile.from_json(found)

    def log(self, text: str, file: str = "", level: Level = "Info") -> None:
        """Add a line about a file to the log of the task."""
        self._channel.tell(messages.LOG, [{"text": text, "level": level, "file": printable(file), "stream": ""}])

    def lines(self, lines: Sequence[Mapping[str, Any]]) -> None:
        """Add what a script has written to the log of the task, as LOG has it."""
        self._channel.tell(messages.LOG, list(lines))
