"""Consume the messages of an MFT network, and record its transfers (192, 197)."""

import logging
from collections.abc import Sequence
from typing import Final

from mft_common import logs
from mft_common.database import Database
from mft_common.errors import Unavailable
from mft_common.events.rabbit.foreign_queue import ForeignSettings, QueueConsumer, Refused
from mft_common.process.background_tasks import BackgroundTask
from mqmft_svc import SERVICE
from mqmft_svc.operations.recording import Recorder
from mqmft_svc.schemas.transferlog import MessageUnreadable, read_message
from mqmft_svc.settings import Settings

_CONSUMERS: Final = 2


class TransferLog:
    """The messages of the network `network`: each batch is recorded in one transaction."""

    def __init__(self, database: Database, recorder: Recorder, network: str) -> None:
        self._transaction = database.writer()
        self._recorder = recorder
        self._network = network
        self._log = logs.get("transferlog")

    def take(self, bodies: Sequence[bytes]) -> list[Refused]:
        """Record messages, and return those that are no messages of a transfer."""
        changes, refused = [], []
        for place, body in enumerate(bodies):
            try:
                change = read_message(body, self._network)
            except MessageUnreadable as error:
                refused.append(Refused(place, str(error)))
            else:
                if change is not None:
                    changes.append(change)
        if changes:
            with self._transaction() as connection:
                self._recorder.record(connection, changes)
        return refused

    def broker_away(self, error: Unavailable, *, lost: bool) -> None:
        """Log that the broker of the messages is away, with the vendor's id of the message."""
        self._log.warning("transferlog.broker_away", msg_id="MQWB0407E" if lost else "MQWB0406E", error=str(error))


def source(settings: Settings) -> ForeignSettings | None:
    """Return the queue of the network's messages, None where the settings name no broker."""
    if settings.transferlog_url is None:
        return None
    # pika logs eight errors for each attempt to reach a broker that is away; the tasks log one line.
    logging.getLogger("pika").setLevel(logging.CRITICAL)
    return ForeignSettings(url=settings.transferlog_url, queue=settings.transferlog_queue)


def tasks(settings: Settings, database: Database, recorder: Recorder) -> list[BackgroundTask]:
    """Return the tasks that consume the queue of the settings; none where they name no broker."""
    queue = source(settings)
    if queue is None:
        return []
    # SQLite has one writer: a second consumer would only wait for the first.
    count = _CONSUMERS if database.dialect == "postgresql" else 1
    return [
        BackgroundTask(
            f"{SERVICE}-transferlog-{number}",
            QueueConsumer(queue, TransferLog(database, recorder, settings.transferlog_name)).run,
        )
        for number in range(1, count + 1)
    ]
