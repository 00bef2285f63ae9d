"""Show the queue of a monitor to the watcher as a folder: of one file while its condition is met."""

from collections.abc import Iterator
from typing import Final

from mft_common.endpoints.errors import NotFound, Transient
from mft_common.watching import Found
from mqmft_svc.domain.monitors import GROUPS
from mqmft_svc.domain.queues import qmgr_of, queue_of
from mqmft_svc.operations.monitoring.resource_listing import ResourceListing
from mqmft_svc.store import monitors as store

# By name: only children import pika.
_LOOK: Final = "mqmft_svc.operations.monitoring.queue_child:look"
_FIRST: Final = "first"
# After six pauses, of five minutes together, the next transfer begins.
_MOST_PAUSES: Final = 6


class QueueListing(ResourceListing):
    """A queue as a listing. Its one file has the identity of the last transfer of its monitor and of its messages.

    So the queue triggers again once that transfer has ended and the condition is still met, or met again, and never
    while it is under way, which may not have taken its messages yet. A transfer that was refused is not repeated
    before the number of messages has changed. One that failed is repeated later and later: a queue may drop messages
    that come back too often.
    """

    complete = True
    # How many messages there were when no group was complete.
    _known = 0
    # The last transfer that has failed, how many have in a row, and how often that is still an error of a look.
    _failed: str | None = None
    _failures = 0
    _pauses = 0

    def unchanged(self) -> bool:
        """Return False: only its broker knows."""
        return False

    def files(self, *, depth: int | None) -> Iterator[Found]:
        """Yield one file where the condition is met; TransferError."""
        del depth
        place = self._place
        with self._database.read() as connection:
            section = self._configuration.refresh(connection)
            last = store.last_transfer(connection, place.key)
        agent = self._agent_of(section)
        if not agent.queues:
            raise Transient(f"the agent {place.agent} has no message broker")
        if qmgr_of(place.resource) not in ("", agent.qmgr.upper()):
            raise NotFound(
                f"the queue {place.resource} is not one of the agent {place.agent}, whose are of {agent.qmgr}"
            )
        if last.is_under_way:
            return
        groups = place.condition == GROUPS
        if groups and agent.no_groups:
            raise Transient(agent.no_groups)
        payload = {
            "agent": place.agent, "url": agent.queues, "queue": queue_of(place.resource), "groups": groups,
            "known": self._known, "patience_s": self._child.silence,
        }  # fmt: skip
        _, result = self._child.run(_LOOK, payload)
        self._known = 0 if result["met"] else result["count"]
        if result["met"]:
            self._pause_after(last)
            yield Found(queue_of(place.resource), f"{last.id or _FIRST} {result['count']}", None, None)

    def _pause_after(self, last: store.LastTransfer) -> None:
        """Raise Transient after a transfer that has failed: once after the first in a row, twice after the second.

        The pause after an error of a look is twice as long as the one before.
        """
        if not last.has_failed:
            self._failures = self._pauses = 0
        elif last.id != self._failed:
            self._failed = last.id
            self._failures += 1
            self._pauses = min(self._failures, _MOST_PAUSES)
        if self._pauses:
            self._pauses -= 1
            raise Transient(f"its last transfer, {last.id}, has ended without success: the next one begins later")
