"""Start the fork server and run pieces of work in its children."""

# ruff: noqa: N818 -- the names of conditions

import contextvars
import functools
import os
import socket
import threading
from collections.abc import Mapping, Sequence
from typing import Final, Self

from mft_common import logs
from mft_common.errors import MftError, Unavailable
from mft_common.process.runner.handle import Handle
from mft_common.process.runner.messages import Json, OnMessage, Stream
from mft_common.process.runner.server_process import ServerProcess

# On one machine: up to 64 jobs, 32 transfers, 32 calls, removals of what these have left, tasks, monitors and probes.
_LIMIT: Final = 160
_ANSWER_WITHIN_S: Final = 30.0


# The variables that children get: where programs, libraries and certificates are, and how text and times are shown.
_INHERITED: Final = (
    *("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR"),
    *("LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR"),
)


def child_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of `environ` that children get: neither settings of the hub nor its secrets."""
    return {name: environ[name] for name in _INHERITED if name in environ}


class PoolFull(MftError):
    """As many children run as the Runner allows."""


class RunnerUnavailable(Unavailable):
    """The fork server does not run and could not be started."""


class Runner:
    """Runs functions in children of one fork server, which imports `modules` once for all of them.

    `start` is called before the process has threads and before it lowers its priority. `environment` is that of the
    children: no secret. At most `limit` children run at once. `service` and `level` are those of the children's log
    lines. `held` are descriptors that stay open while the server or a child lives: locks, which last until the last of
    them has ended. A server that forks no child, or reports no end, within `answer_within` seconds is replaced, and its
    other children end with it.
    """

    def __init__(
        self,
        service: str,
        modules: Sequence[str] = (),
        *,
        environment: Mapping[str, str] | None = None,
        level: str = "info",
        limit: int = _LIMIT,
        held: Sequence[int] = (),
        answer_within: float = _ANSWER_WITHIN_S,
    ) -> None:
        self.limit = limit
        self._answer_within = answer_within
        self._held = list(held)
        self._service = service
        self._level = level
        self._modules = list(modules)
        self._environment = dict(environment or {})
        self._lock = threading.Lock()
        self._server: ServerProcess | None = None
        self._handles: set[Handle] = set()
        self._closed = False

    def start(self) -> Self:
        """Start the fork server; it imports while this process goes on."""
        self._server = ServerProcess(self._modules, self._environment, self._held)
        return self

    def run(self, target: str, payload: Json, on_message: OnMessage) -> Handle:
        """Run `package.module:function` with `payload` in a child; return at once.

        `on_message(kind, data)` is called for each message, one after another, in a thread of the child's handle; what
        it returns answers a question, and where it raises, the child is killed. PoolFull at the limit,
        RunnerUnavailable where no child can be started.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        status, written = os.pipe()
        stream = Stream(ours)
        handle = Handle(stream, status, on_message, self._forget, self._answer_within)
        try:
            server = self._send(handle, theirs.fileno(), written)
        except BaseException:
            self._forget(handle)
            handle.discard()
            raise
        finally:
            theirs.close()
            os.close(written)
        try:
            # In a copy of this context, so that what the worker writes for the child has the same request id.
            serve = functools.partial(contextvars.copy_context().run, handle.serve, server)
            threading.Thread(target=serve, name=f"child {target}", daemon=True).start()
        except RuntimeError as error:
            # Without its worker's end of the socket the child kills itself.
            self._forget(handle)
            handle.discard()
            raise RunnerUnavailable("the system has no thread for another child") from error
        order = {"target": target, "payload": payload, "request_id": logs.request_id()}
        try:
            stream.send({**order, "service": self._service, "level": self._level})
        except OSError:
            # The child died at once; its handle finds out how.
            pass
        except BaseException:
            handle.kill()
            raise
        return handle

    def _send(self, handle: Handle, connection: int, status: int) -> ServerProcess:
        """Ask the server for a child, and return it; start the server anew where it has died."""
        with self._lock:
            if self._closed:
                raise RunnerUnavailable("the process ends")
            if len(self._handles) >= self.limit:
                raise PoolFull(f"{self.limit} pieces of work run already")
            self._handles.add(handle)
            for _ in range(2):
                if self._server is not None and self._server.request(connection, status):
                    return self._server
                self._restart()
        raise RunnerUnavailable("the fork server does not answer")

    def _restart(self) -> None:
        logs.get("runner").error("fork_server.restarted")
        if self._server is not None:
            self._server.end()
        try:
            self.start()
        except OSError as error:
            self._server = None
            raise RunnerUnavailable("the fork server cannot be started") from error

    def _forget(self, handle: Handle) -> None:
        with self._lock:
            self._handles.discard(handle)

    @property
    def running(self) -> int:
        """The number of children that run now."""
        return len(self._handles)

    def close(self) -> None:
        """Kill all children, wait for their ends, and end the server."""
        with self._lock:
            self._closed = True
            handles = list(self._handles)
        for handle in handles:
            handle.kill()
        for handle in handles:
            handle.wait()
        with self._lock:
            if self._server is not None:
                self._server.end()

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()
