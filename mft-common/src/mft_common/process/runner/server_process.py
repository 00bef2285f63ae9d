"""The worker's side of the fork server: start it under its guardian, send it requests, and end it."""

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Final

_START: Final = "import sys; sys.path[:] = {path!r}; from {module} import main; main{arguments!r}"
_GUARDIAN: Final = "mft_common.process.guardian"
_SERVER: Final = "mft_common.process.runner.server"
_ENDED_WITHIN_S: Final = 5.0


class ServerProcess:
    """A fork server and its guardian, which are started here; OSError where the system has no process for them."""

    def __init__(self, modules: Sequence[str], environment: Mapping[str, str], held: Sequence[int]) -> None:
        self._lock = threading.Lock()
        self._control, control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lifeline, lifeline = socket.socketpair()
        try:
            sockets = (control.fileno(), lifeline.fileno())
            arguments = (_SERVER, sockets, os.getpid(), list(modules), list(held))
            code = _START.format(path=sys.path, module=_GUARDIAN, arguments=arguments)
            self._guardian = subprocess.Popen(  # noqa: S603 -- this program's own interpreter and module
                [sys.executable, "-E", "-s", "-c", code],
                pass_fds=[*sockets, *held],
                stdin=subprocess.DEVNULL,
                env=dict(environment),
            )
        except OSError:
            self._close()
            raise
        finally:
            control.close()
            lifeline.close()

    @property
    def guardian(self) -> int:
        """The guardian's process id."""
        return self._guardian.pid

    @property
    def running(self) -> bool:
        """False once the guardian has ended, and with it all that descended from it."""
        return self._guardian.poll() is None

    def request(self, connection: int, status: int) -> bool:
        """Ask for a child with these descriptors; False where no server takes the request."""
        with self._lock:
            if not self.running:
                return False
            try:
                socket.send_fds(self._control, [b"1"], [connection, status], socket.MSG_DONTWAIT)
            except OSError:
                return False
            return True

    def end(self) -> None:
        """End the server, its children and all that descends from them, and wait for that."""
        self._close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._guardian.wait(_ENDED_WITHIN_S)
            return
        self._guardian.kill()
        self._guardian.wait()

    def _close(self) -> None:
        with self._lock:
            self._control.close()
            self._lifeline.close()
