"""Follow the configuration that was applied last, in a process that outlives changes of it."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Protocol
from wsgiref.types import StartResponse, WSGIApplication

import yaml

from mft_common import logs
from mft_common.config import Reader

_UNAVAILABLE: Final = "503 Service Unavailable"


class AppliedFile:
    """The file with the configuration that was applied last; secrets in it are references, as in crossdock.yaml.

    A forked process knows which version of the file its own configuration is.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: tuple[int, int] | None = None

    def write(self, document: Mapping[str, Any], reader: Reader) -> None:
        """Write the configuration of this process, as a whole."""
        temporary = self._path.with_name(f".{self._path.name}.part")
        content = {"folder": str(reader.folder.absolute()), "demo": reader.demo, "document": dict(document)}
        temporary.write_text(yaml.safe_dump(content), encoding="utf-8")
        temporary.rename(self._path)
        self._known = self._version()

    def follow(self, reader: Reader, use: Callable[[Mapping[str, Any], Reader], None]) -> bool:
        """Call `use` where the file has another version than this process wrote or used last; return whether it has.

        `use` gets the configuration, and a reader like `reader` that resolves its references. Where it raises, the next
        call tries again.
        """
        version = self._version()
        if version == self._known:
            return False
        content = yaml.safe_load(self._path.read_text(encoding="utf-8"))
        folder, demo = Path(content["folder"]), bool(content["demo"])
        use(content["document"], replace(reader, folder=folder, demo=demo, problems=[]))
        self._known = version
        return True

    def _version(self) -> tuple[int, int]:
        found = self._path.stat()
        return found.st_ino, found.st_mtime_ns


class Closeable(Protocol):
    """A service that can be closed."""

    def close(self) -> None:
        """Close databases and connections."""
        ...


class AppliedService:
    """The WSGI application of a service that is built anew for the first request after another configuration.

    `service` is the one that exists, which stays open: other parts of the process use it. Later ones are closed after
    their last request. A request that finds no usable configuration is answered 503.
    """

    def __init__(
        self,
        service: Closeable,
        *,
        file: AppliedFile,
        reader: Reader,
        build: Callable[[Mapping[str, Any], Reader], Closeable],
        application: Callable[[Any], WSGIApplication],
    ) -> None:
        self._file = file
        self._reader = reader
        self._build = build
        self._application = application
        self._guard = threading.Lock()
        self._current = _Generation(service, application(service), lasting=True)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request by the configuration that was applied last."""
        try:
            generation = self._enter()
        except Exception:  # noqa: BLE001 -- the request is answered, and the next one tries again
            logs.get("applied").exception("configuration.unusable")
            start_response(_UNAVAILABLE, [("Content-Length", "0"), ("Retry-After", "1")])
            return [b""]
        try:
            body = generation.application(environ, start_response)
        except BaseException:
            generation.leave()
            raise
        return _Body(body, generation.leave)

    def _enter(self) -> "_Generation":
        with self._guard:
            former = self._current
            if self._file.follow(self._reader, self._replace):
                logs.get("applied").info("configuration.followed")
            generation = self._current
            generation.enter()
        if former is not generation:
            former.retire()
        return generation

    def _replace(self, document: Mapping[str, Any], reader: Reader) -> None:
        service = self._build(document, reader)
        self._current = _Generation(service, self._application(service), lasting=False)

    def close(self) -> None:
        """Close the current service, unless it is the one that was given."""
        with self._guard:
            self._current.retire()


class _Generation:
    """A service, and the number of its requests; one that is retired and not `lasting` is closed after the last."""

    def __init__(self, service: Closeable, application: WSGIApplication, *, lasting: bool) -> None:
        self.application = application
        self._service = service
        self._lasting = lasting
        self._guard = threading.Lock()
        self._requests = 0
        self._retired = False

    def enter(self) -> None:
        """Count a request."""
        with self._guard:
            self._requests += 1

    def leave(self) -> None:
        """Count the end of a request."""
        with self._guard:
            self._requests -= 1
            over = self._retired and self._requests == 0
        if over:
            self._close()

    def retire(self) -> None:
        """Close the service now, or after its last request."""
        with self._guard:
            over = not self._retired and self._requests == 0
            self._retired = True
        if over:
            self._close()

    def _close(self) -> None:
        if not self._lasting:
            self._service.close()


class _Body:
    """The body of an answer; `leave` is called once, when it is closed."""

    def __init__(self, body: Iterable[bytes], leave: Callable[[], None]) -> None:
        self._body = body
        self._leave: Callable[[], None] | None = leave

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._body)

    def close(self) -> None:
        """Close the body, and count the end of the request."""
        leave, self._leave = self._leave, None
        try:
            if (close := getattr(self._body, "close", None)) is not None:
                close()
        finally:
            if leave is not None:
                leave()
