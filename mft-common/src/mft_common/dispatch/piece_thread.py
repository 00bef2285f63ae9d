"""Run the process of one piece of work in a thread that was started before the piece was taken."""

import queue
import threading
from collections.abc import Hashable

from mft_common import logs
from mft_common.dispatch.contract import Process
from mft_common.errors import Unavailable


class PieceThread:
    """A thread that waits for a piece, runs it and ends; Unavailable where the system has no thread at the moment."""

    def __init__(self) -> None:
        self._given: queue.SimpleQueue[tuple[Hashable, str, Process] | None] = queue.SimpleQueue()
        self.thread = threading.Thread(target=self._run, name="work", daemon=True)
        try:
            self.thread.start()
        except RuntimeError as error:
            raise Unavailable("the system has no thread for another piece of work") from error

    def begin(self, key: Hashable, request_id: str, process: Process) -> None:
        """Run the process of a piece, with the id of the request that it belongs to."""
        self.thread.name = f"work-{key}"
        self._given.put((key, request_id, process))

    def end(self) -> None:
        """End the thread, which has no piece."""
        self._given.put(None)

    def _run(self) -> None:
        given = self._given.get()
        if given is None:
            return
        key, request_id, process = given
        with logs.request_scope(request_id):
            try:
                process.run()
            except Exception:  # noqa: BLE001 -- the thread ends here, and the log is all that can be told
                logs.get("dispatch").exception("work.failed", key=key)
