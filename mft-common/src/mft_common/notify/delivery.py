"""Deliver notifications from a worker: each at least once, with growing pauses and a limit."""

import threading
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Final

from mft_common import clock, logs
from mft_common.backoff import pause_after
from mft_common.database import Database
from mft_common.notify import mails, webhooks
from mft_common.notify.channels import Channels
from mft_common.notify.errors import NotDelivered
from mft_common.notify.notifications import Notification, Notifications, Receiver
from mft_common.process.background_tasks import BackgroundTask, periodic_task

# More than the time limits of one attempt allow.
_ATTEMPT_MS: Final = 180_000
_AT_ONCE: Final = 8
_POLL_S: Final = 1.0
# How long an operator finds a notification that was given up, and how many are deleted at once.
_GIVEN_UP_KEEP_MS: Final = 90 * 86_400_000
_PURGE_AT_ONCE: Final = 500
_PURGE_FIRST_S: Final = 600.0
_PURGE_EVERY_S: Final = 86_400.0
# How long a stop waits for the attempts that are under way.
_STOP_S: Final = 2.0


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """Delivers the notifications of one table; several workers may do so at once.

    `channels` gives the configuration in force. After a failure the next attempt follows after `first_ms`, then each
    time after twice as long, at most `most_ms`; after `tries` attempts the notification is given up, and an operator
    finds it in `Notifications.listing`. With the defaults that is after 16 hours.
    """

    database: Database
    notifications: Notifications
    channels: Callable[[], Channels]
    first_ms: int = 5_000
    most_ms: int = 3_600_000
    tries: int = 25
    now: clock.Clock = clock.now_ms

    def step(self) -> int:
        """Try the oldest due notification of each receiver once and return how many there were.

        Receivers are served at the same time, each by its own thread: one that does not answer delays this step, and
        no other receiver's attempt in it.
        """
        taken = self.claim(_AT_ONCE)
        if len(taken) == 1:
            self.attempt(taken[0])
        elif taken:
            with ThreadPoolExecutor(len(taken), thread_name_prefix="notify") as pool:
                list(pool.map(self.attempt, taken))
        return len(taken)

    def claim(self, limit: int, busy: Collection[Receiver] = ()) -> Sequence[Notification]:
        """Take due notifications, one a receiver that is not in `busy`; each must be attempted."""
        with self.database.write() as connection:
            now = self.now()
            return self.notifications.claim(connection, now, now + _ATTEMPT_MS, limit, busy)

    def attempt(self, notification: Notification) -> None:
        """Send one notification that was claimed, and store how that ended."""
        try:
            self._send(notification)
        except NotDelivered as error:
            self._failed(notification, str(error))
        except Exception as error:  # noqa: BLE001 -- a fault of ours in one notification must not stop the others
            self._failed(notification, f"an error of the hub ({type(error).__name__})")
        else:
            with self.database.write() as connection:
                self.notifications.delivered(connection, notification)
            logs.get("notify").info(
                "notification.delivered", id=notification.id, kind=notification.kind, attempt=notification.attempts
            )

    def _send(self, notification: Notification) -> None:
        channels = self.channels()
        if notification.kind == "mail":
            if channels.mail is None:
                raise NotDelivered("no mail server is configured")
            mails.send(channels.mail, notification)
        else:
            webhook = channels.webhooks.get(notification.target)
            if webhook is None:
                raise NotDelivered("this webhook is not configured any more")
            webhooks.send(webhook, notification)

    def _failed(self, notification: Notification, reason: str) -> None:
        over = notification.attempts >= self.tries
        pause = 0 if over else pause_after(notification.attempts, self.first_ms, self.most_ms)
        with self.database.write() as connection:
            self.notifications.failed(connection, notification, reason, self.now() + pause, over=over)
        log = logs.get("notify")
        write, event = (log.error, "notification.given_up") if over else (log.warning, "notification.failed")
        write(event, id=notification.id, kind=notification.kind, attempt=notification.attempts, reason=reason)

    def purge(self) -> int:
        """Delete the notifications that were given up 90 days ago, and return how many there were."""
        before, deleted = self.now() - _GIVEN_UP_KEEP_MS, 0
        while True:
            with self.database.write() as connection:
                count = self.notifications.purge(connection, before, _PURGE_AT_ONCE)
            deleted += count
            if count < _PURGE_AT_ONCE:
                return deleted


def delivery_task(name: str, delivery: Delivery, *, poll: float = _POLL_S) -> BackgroundTask:
    """Return the task of a worker that delivers until it is stopped; it looks for new rows every `poll` seconds.

    Eight receivers at most are served at once, each by one attempt; one that is slow holds up no other. An attempt that
    is not over soon after the stop is left to its thread, and its notification to an attempt of another worker.
    """

    def run(stop: threading.Event) -> None:
        running: dict[Future[None], Receiver] = {}
        try:
            while not stop.is_set():
                taken = (
                    delivery.claim(_AT_ONCE - len(running), set(running.values())) if len(running) < _AT_ONCE else ()
                )
                for one in taken:
                    running[_begun(name, delivery, one)] = (one.kind, one.target)
                if running:
                    wait(running, timeout=poll, return_when=FIRST_COMPLETED)
                else:
                    stop.wait(poll)
                for future in [future for future in running if future.done()]:
                    del running[future]
                    future.result()
        finally:
            wait(running, timeout=_STOP_S if stop.is_set() else None)

    return BackgroundTask(name, run)


def purge_given_up_task(name: str, delivery: Delivery) -> BackgroundTask:
    """Return the task of a worker that purges ten minutes after its start and then once a day."""

    def purge() -> None:
        logs.get("notify").info("notification.purged", deleted=delivery.purge())

    return periodic_task(name, purge, every=_PURGE_EVERY_S, first=_PURGE_FIRST_S)


def _begun(name: str, delivery: Delivery, notification: Notification) -> Future[None]:
    """Begin an attempt in a thread for which the end of the process does not wait."""
    attempt: Future[None] = Future()

    def run() -> None:
        try:
            delivery.attempt(notification)
        except BaseException as error:  # noqa: BLE001 -- the task raises it
            attempt.set_exception(error)
        else:
            attempt.set_result(None)

    threading.Thread(target=run, name=name, daemon=True).start()
    return attempt
