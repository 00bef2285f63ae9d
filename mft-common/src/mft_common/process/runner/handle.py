"""The worker's side of one child: its messages, its end, and the ways to bring that about."""

import contextlib
import os
import select
import selectors
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from mft_common import logs
from mft_common.process.runner.messages import ENDED, Json, OnMessage, Stream
from mft_common.process.runner.server import NUMBER
from mft_common.process.runner.server_process import ServerProcess


@dataclass(frozen=True)
class End:
    """How a child ended.

    `exit_code` is negative for a signal, as in subprocess, and None where the fork server died. `result` is what the
    work returned, `error` the type of what it raised, `refusal` what `on_message` raised, for which it was killed.
    """

    exit_code: int | None
    result: Json = None
    error: str = ""
    killed: bool = False
    refusal: BaseException | None = None

    @property
    def completed(self) -> bool:
        """True where the work returned, its child ended by itself, and its worker could handle all its messages."""
        return self.exit_code == 0 and self.refusal is None

    @property
    def reason(self) -> str:
        """A sentence's end for logs: `was killed by SIGSEGV`, `ended with exit code 3`."""
        if self.exit_code is None:
            return "was lost with the server that had forked it"
        if self.exit_code < 0:
            with contextlib.suppress(ValueError):
                return f"was killed by {signal.Signals(-self.exit_code).name}"
            return f"was killed by signal {-self.exit_code}"
        if self.exit_code == 0 and self.refusal is not None:
            return f"ended before its worker could store what it reported ({type(self.refusal).__name__})"
        raised = f" after {self.error}" if self.error else ""
        return f"ended with exit code {self.exit_code}{raised}"


class Handle:
    """A child that runs. One thread of the worker handles its messages, one after another, and then its end."""

    def __init__(
        self,
        stream: Stream,
        status: int,
        on_message: OnMessage,
        ended: Callable[["Handle"], None],
        answer_within: float,
    ) -> None:
        self._answer_within = answer_within
        self._stream = stream
        self._status = status
        self._on_message = on_message
        self._ended = ended
        self._lock = threading.Lock()
        self._kill_asked = False
        self._pid = 0
        self._pidfd = -1
        self._result: Json = None
        self._error = ""
        self._refusal: BaseException | None = None
        self._over = threading.Event()
        self._end = End(None)

    @property
    def pid(self) -> int:
        """The child's process id, 0 while it is not forked yet."""
        return self._pid

    def stop(self) -> None:
        """Ask the child to stop: sets its channel's `interrupt`. Nothing happens where it is over."""
        with contextlib.suppress(OSError):
            self._stream.send({"stop": True})

    def kill(self) -> None:
        """Kill the child with SIGKILL; it and all that it started have ended when `wait` returns."""
        with self._lock:
            self._kill_asked = True
            self._kill_child()

    def wait(self, timeout: float | None = None) -> End | None:
        """Wait for the end of the child and of its messages, at most `timeout` seconds; None while it runs."""
        return self._end if self._over.wait(timeout) else None

    def serve(self, server: ServerProcess) -> None:
        """Handle messages until the child has ended; the Runner calls it in a thread."""
        code: int | None = None
        try:
            code = self._serve()
            if code is None and not self._error:
                # The server has died, or is stuck: its guardian ends the child and all that it started.
                server.end()
        finally:
            with self._lock:
                self._kill_child()
                if self._pidfd >= 0:
                    os.close(self._pidfd)
                    self._pidfd = -1
                self._pid = 0
            os.close(self._status)
            self._stream.close()
            killed = self._kill_asked
            self._end = End(code, self._result, self._error, killed=killed, refusal=self._refusal)
            self._ended(self)
            self._over.set()

    def discard(self) -> None:
        """End a handle whose child was never asked for."""
        os.close(self._status)
        self._stream.close()
        self._over.set()

    def _serve(self) -> int | None:
        if not self._forked():
            return None
        with selectors.DefaultSelector() as selector:
            selector.register(self._stream, selectors.EVENT_READ)
            selector.register(self._status, selectors.EVENT_READ)
            deadline: float | None = None
            if self._pidfd >= 0:
                selector.register(self._pidfd, selectors.EVENT_READ)
            else:
                deadline = time.monotonic() + self._answer_within
            while True:
                ready = {key.fd for key, _ in selector.select(deadline and max(0.0, deadline - time.monotonic()))}
                if self._status in ready or not ready:
                    break
                if self._pidfd in ready:
                    # The child has ended, and the server has to say how.
                    selector.unregister(self._pidfd)
                    deadline = time.monotonic() + self._answer_within
                if self._stream.fileno() in ready and not self._stream.fill():
                    selector.unregister(self._stream)
                self._handle()
        # The child is dead, and what it had sent before is to be handled still.
        while self._stream.fill(wait=False):
            self._handle()
        return self._number(0)

    def _forked(self) -> bool:
        """Wait until the child has been forked; False where the system has no process for it."""
        pid = self._number(self._answer_within)
        if pid is None or pid < 0:
            if pid is not None:
                logs.get("runner").error("child.not_forked", error=os.strerror(-pid))
                self._error = "the system has no process or no memory for it"
            return False
        with self._lock:
            self._pid = pid
            with contextlib.suppress(ProcessLookupError):
                self._pidfd = os.pidfd_open(pid)
            if self._kill_asked:
                self._kill_child()
        return True

    def _number(self, within: float) -> int | None:
        """Return the server's next number; None where it has died, or sends none within so many seconds."""
        waiting = select.poll()
        waiting.register(self._status, select.POLLIN)
        if not waiting.poll(within * 1000):
            logs.get("runner").error("fork_server.stuck", pid=self._pid)
            return None
        data = os.read(self._status, NUMBER.size)
        return NUMBER.unpack(data)[0] if len(data) == NUMBER.size else None

    def _handle(self) -> None:
        try:
            while (message := self._stream.buffered()) is not None:
                if self._refusal is None:
                    self._handle_message(message)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the child must not go on without its worker
            self._refusal = error
            with self._lock:
                self._kill_child()

    def _handle_message(self, message: dict[str, Json]) -> None:
        kind = message["kind"]
        if kind == ENDED:
            self._result, self._error = message["data"], message.get("error", "")
            return
        answer = self._on_message(kind, message["data"])
        if number := message.get("ask"):
            with contextlib.suppress(OSError):
                self._stream.send({"to": number, "answer": answer})

    def _kill_child(self) -> None:
        """Kill the child, upon which the server ends what it had started. The lock is held."""
        if self._pidfd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
