"""The worker's side of one child: its messages, its end, and the ways to bring that about."""

import contextlib
import os
import selectors
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass

from mft_common import logs
from mft_common.process.runner.messages import ENDED, Json, OnMessage, Stream
from mft_common.process.runner.server import NUMBER


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
        """True where the work returned and its child ended by itself."""
        return self.exit_code == 0

    @property
    def reason(self) -> str:
        """A sentence's end for logs: `was killed by SIGSEGV`, `ended with exit code 3`."""
        if self.exit_code is None:
            return "was lost with the server that had forked it"
        if self.exit_code < 0:
            with contextlib.suppress(ValueError):
                return f"was killed by {signal.Signals(-self.exit_code).name}"
            return f"was killed by signal {-self.exit_code}"
        raised = f" after {self.error}" if self.error else ""
        return f"ended with exit code {self.exit_code}{raised}"


class Handle:
    """A child that runs. One thread of the worker handles its messages, one after another, and then its end."""

    def __init__(self, stream: Stream, status: int, on_message: OnMessage, ended: Callable[["Handle"], None]) -> None:
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
        """Kill the child and its process group with SIGKILL; it has ended when `wait` returns."""
        with self._lock:
            self._kill_asked = True
            self._kill_group()

    def wait(self, timeout: float | None = None) -> End | None:
        """Wait for the end of the child and of its messages, at most `timeout` seconds; None while it runs."""
        return self._end if self._over.wait(timeout) else None

    def serve(self) -> None:
        """Handle messages until the child has ended; the Runner calls it in a thread."""
        code: int | None = None
        try:
            code = self._serve()
        finally:
            with self._lock:
                # Programs that the child had started, and a child whose server died before it.
                self._kill_group()
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
            while True:
                ready = {key.fd for key, _ in selector.select()}
                if self._status in ready:
                    break
                if not self._stream.fill():
                    selector.unregister(self._stream)
                self._handle()
        # The child is dead, and what it had sent before is to be handled still.
        while self._stream.fill(wait=False):
            self._handle()
        return self._number()

    def _forked(self) -> bool:
        """Wait until the child has been forked; False where the system has no process for it."""
        pid = self._number()
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
                self._kill_group()
        return True

    def _number(self) -> int | None:
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
                self._kill_group()

    def _handle_message(self, message: dict[str, Json]) -> None:
        kind = message["kind"]
        if kind == ENDED:
            self._result, self._error = message["data"], message.get("error", "")
            return
        answer = self._on_message(kind, message["data"])
        if number := message.get("ask"):
            with contextlib.suppress(OSError):
                self._stream.send({"to": number, "answer": answer})

    def _kill_group(self) -> None:
        """Kill the group, and the child by itself: it may not have made its group yet. The lock is held."""
        if not self._pid:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._pid, signal.SIGKILL)
        if self._pidfd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
