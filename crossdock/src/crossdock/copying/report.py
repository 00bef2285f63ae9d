"""Hold what a copy did, and print it for people or programs."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from crossdock.output import OUTPUT_FAILED
from mft_common.endpoints.names import printable
from mft_common.endpoints.targets import without_query

ALL_COPIED: Final = 0
SOME_FAILED: Final = 1
USAGE: Final = 2
NOTHING_FOUND: Final = 3
NOT_REACHED: Final = 4
UNREPORTED: Final = OUTPUT_FAILED
INTERRUPTED: Final = 130
EXIT_CODES: Final = {
    ALL_COPIED: "every file was copied and verified",
    SOME_FAILED: "at least one file was not copied; the others were",
    USAGE: "the command, the configuration or a key cannot be used; nothing was tried",
    NOTHING_FOUND: "the source has no file of that name or pattern",
    NOT_REACHED: "the source or the destination cannot be reached, or refuses this user",
    UNREPORTED: "every file was copied and verified, but the report could not be written to standard output",
    INTERRUPTED: "stopped by SIGINT or SIGTERM; files copied before are complete",
}
COPIED: Final = "copied"
_UNITS: Final = ("bytes", "KiB", "MiB", "GiB", "TiB")


@dataclass(frozen=True, kw_only=True)
class FileResult:
    """One file: its paths, and either what was delivered or the reason why not.

    `size` and `sha256` are those of the delivered bytes, `source_sha256` is that of the read ones where they differ
    because the file was encrypted, else "". `resumed` is the number of bytes that an earlier run had
    delivered. `done` is the word for a file that was delivered.
    """

    source: str
    destination: str
    error: str = ""
    warning: str = ""
    size: int = 0
    sha256: str = ""
    source_sha256: str = ""
    retries: int = 0
    resumed: int = 0
    done: str = COPIED

    def as_json(self) -> dict[str, Any]:
        """Return the result with printable names, without what does not apply."""
        names = {"source": printable(self.source), "destination": printable(self.destination)}
        if self.error:
            return {**names, "state": "failed", "error": self.error, "retries": self.retries}
        more = {name: value for name in ("source_sha256", "warning") if (value := getattr(self, name))}
        values = {"size": self.size, "sha256": self.sha256, "retries": self.retries, "resumed": self.resumed}
        return {**names, "state": self.done, **values, **more}


@dataclass
class Report:
    """The results of all files in their order; `skipped` are names that cannot be copied, with the reasons.

    `abandoned` is True where a signal ended the copy and a far side has not answered: threads still wait for it. `done`
    is the word for a file that was delivered. With `incomplete` a file that was asked for was skipped.
    """

    files: list[FileResult] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    interrupted: bool = False
    abandoned: bool = False
    seconds: float = 0.0
    done: str = COPIED
    incomplete: bool = False

    @property
    def failed(self) -> int:
        """How many files were not copied."""
        return sum(1 for one in self.files if one.error)

    @property
    def copied_bytes(self) -> int:
        """How many bytes the copied files have."""
        return sum(one.size for one in self.files)

    @property
    def exit_code(self) -> int:
        """The exit code of the command; `EXIT_CODES` says what each means."""
        if self.interrupted:
            return INTERRUPTED
        if not self.files:
            return NOTHING_FOUND
        return SOME_FAILED if self.failed or self.incomplete else ALL_COPIED

    def as_json(self) -> dict[str, Any]:
        """Return the report as one JSON object."""
        return {
            "exit_code": self.exit_code,
            self.done: len(self.files) - self.failed,
            "failed": self.failed,
            "bytes": self.copied_bytes,
            "seconds": round(self.seconds, 3),
            "files": [one.as_json() for one in self.files],
            "skipped": [{"source": printable(name), "reason": reason} for name, reason in self.skipped],
        }

    def print_summary(self, say: Callable[[str], None], source: str) -> None:
        """Print the last line for people; `source` is the argument or URL that was copied from."""
        if not self.files:
            shown = printable(without_query(source))
            say(f"nothing found: {shown}" if not self.interrupted else "interrupted before the first file")
            return
        rate = self.copied_bytes / self.seconds if self.seconds else 0
        copied = len(self.files) - self.failed
        say(
            f"{copied} {self.done}, {self.failed} failed, {shown_size(self.copied_bytes)} in {self.seconds:.1f} s "
            f"({shown_size(rate)}/s){', interrupted' if self.interrupted else ''}"
        )


def print_result(result: FileResult, say: Callable[[str], None], complain: Callable[[str], None]) -> None:
    """Print one file for people: checksum, size and path on stdout in the manner of sha256sum, a failure on stderr."""
    source = printable(result.source)
    if result.error:
        # Most errors begin with the name already.
        complain(f"failed: {source}: {result.error.removeprefix(f'{source}: ')}")
        return
    say(f"{result.sha256}  {result.size:>12}  {printable(result.destination)}")
    if result.warning:
        complain(f"warning: {source}: {result.warning.removeprefix(f'{source}: ')}")


def shown_size(count: float) -> str:
    """Return a number of bytes in a unit in which it is at least 1 and below 1,024."""
    place = 0
    while count >= 1024 and place < len(_UNITS) - 1:
        count, place = count / 1024, place + 1
    return f"{count:.0f} {_UNITS[place]}" if place == 0 else f"{count:.1f} {_UNITS[place]}"
