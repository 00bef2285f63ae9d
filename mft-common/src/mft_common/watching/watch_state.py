"""Keep what a scan knows of one watch: what it has handled, and which files its handler refused."""

from dataclasses import dataclass, field
from typing import Final

from mft_common import logs
from mft_common.backoff import pause_after
from mft_common.storable_text import storable
from mft_common.watching.contract import Found, Later, Watch

_FIRST_PAUSE_S: Final = 5.0
_LONGEST_PAUSE_S: Final = 300.0


@dataclass(slots=True)
class Failure:
    """A file that its handler refused: its identity, how often, and when it is handed over again."""

    identity: bytes
    failures: int
    retry_at: float


@dataclass
class WatchState:
    """A watch with its generation, and what it has handled by the digests of path and identity; None before a load.

    `failed` are the files that its handler refused. The whole watch pauses until `retry_at` after a scan in which its
    handler refused all files, `failures` such scans in a row; `later_until` is the end of the pause of a Later, 0
    without one. Times are those of the scan's clock, in seconds.
    """

    watch: Watch
    generation: int
    handled: dict[bytes, bytes] | None = None
    failed: dict[bytes, Failure] = field(default_factory=dict)
    failures: int = 0
    retry_at: float = 0.0
    later_until: float = 0.0

    def is_paused(self, name: bytes, identity: bytes, at: float) -> bool:
        """Return whether a file that failed waits for its next attempt."""
        failure = self.failed.get(name)
        return failure is not None and failure.identity == identity and at < failure.retry_at

    def note_failure(self, name: bytes, identity: bytes, found: Found, error: Exception, at: float) -> None:
        """Note that the handler raised for this file alone."""
        failure = self.failed.get(name)
        if failure is None or failure.identity != identity:
            failure = self.failed[name] = Failure(identity, 0, 0.0)
        failure.failures += 1
        pause = pause_after(failure.failures, _FIRST_PAUSE_S, _LONGEST_PAUSE_S)
        failure.retry_at = at + pause
        logs.get("watching").error(
            "watch.handler_failed", watch=self.watch.shown, file=storable(found.path), failures=failure.failures,
            pause_s=pause, exc_info=error,
        )  # fmt: skip

    def defer(self, error: Later, at: float) -> None:
        """Let the files of the watch wait; the log shows the first of several times in a row."""
        log = logs.get("watching")
        (log.debug if self.later_until else log.info)("watch.deferred", watch=self.watch.shown, reason=str(error))
        self.later_until = at + error.pause

    def pause(self, at: float) -> None:
        """Let the whole watch pause after a scan in which all files failed, longer each time."""
        self.failures += 1
        self.retry_at = at + pause_after(self.failures, _FIRST_PAUSE_S, _LONGEST_PAUSE_S)
