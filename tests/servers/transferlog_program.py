"""Record the messages of a network as a program that tests can kill: `transferlog_program.py JSON`."""

import json
import os
import signal
import sys
import threading
from typing import Any

from mft_common import logs
from mft_common.events.rabbit.foreign_queue import ForeignSettings, QueueConsumer
from mft_common.process.background_tasks import BackgroundTask, run_tasks, stop_on_signals
from mqmft_svc import bootstrap
from mqmft_svc.ingestion import TransferLog
from mqmft_svc.settings import Settings

# The moments at which the program can die by SIGKILL, in the order in which a batch passes them.
MOMENTS = ("before the commit", "after the commit", "before the acknowledgement")


class Dying:
    """Ends this process the `after`-th time that it comes to the moment `at`."""

    def __init__(self, at: str, after: int) -> None:
        self._at = at
        self._left = after

    def at(self, moment: str) -> None:
        """Pass a moment."""
        if moment == self._at:
            self._left -= 1
            if self._left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)


class _Recorder:
    def __init__(self, recorder: Any, dying: Dying) -> None:
        self._recorder = recorder
        self._dying = dying

    def record(self, connection: Any, changes: Any) -> None:
        self._recorder.record(connection, changes)
        self._dying.at("before the commit")


class _Reader(TransferLog):
    def __init__(self, dying: Dying, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._dying = dying

    def take(self, bodies: Any) -> Any:
        refused = super().take(bodies)
        self._dying.at("after the commit")
        return refused


class _Consumer(QueueConsumer):
    def __init__(self, dying: Dying, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._dying = dying

    def _handle(self, broker: Any, batch: Any) -> None:
        super()._handle(broker, batch)
        self._dying.at("before the acknowledgement")


def main() -> int:
    """Consume until a signal, or until the moment of death."""
    options = json.loads(sys.argv[1])
    logs.configure("transferlog-program", "warning")
    dying = Dying(options.get("at", ""), options.get("after", 0))
    environ = {"MQMFT_DATABASE_URL": options["database"], "MQMFT_COORDINATION_QMGR": "QM1"}
    directory: Any = object()
    service = bootstrap.build(Settings.from_env(environ), directory=directory, config={})
    reader = _Reader(dying, service.database, _Recorder(service.operations.recorder, dying), "mq")
    consumer = _Consumer(dying, ForeignSettings(url=options["amqp"], queue=options["queue"]), reader)
    stop = threading.Event()
    stop_on_signals(stop)
    run_tasks([BackgroundTask("transferlog", consumer.run)], stop, grace=5)
    service.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
