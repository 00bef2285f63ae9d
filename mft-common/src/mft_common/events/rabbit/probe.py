"""Ask RabbitMQ whether it answers, on one connection for all probes of a process."""

import threading

from mft_common.errors import Unavailable
from mft_common.events.rabbit.broker_connection import BrokerConnection, Settings


class BrokerProbe:
    """Opens a connection at the first question and keeps it; a lost one is replaced at the next question."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._connection: BrokerConnection | None = None

    def check(self) -> None:
        """Raise Unavailable unless RabbitMQ answers."""
        with self._lock:
            if self._connection is not None and not self._connection.alive:
                self._drop()
            if self._connection is None:
                connection = BrokerConnection(self._settings, "readiness")
                connection.open()
                self._connection = connection
            if not self._connection.ping():
                self._drop()
                raise Unavailable("RabbitMQ does not answer")

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._drop()

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
