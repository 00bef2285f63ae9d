"""Write one JSON line per event to stderr, with the request id of the work at hand and without secrets."""

import functools
import logging
import re
import sys
import traceback
from collections.abc import Iterable, MutableMapping
from contextvars import ContextVar
from typing import Any, Final, TextIO
from urllib.parse import unquote_plus

import structlog

from mft_common.storable_text import storable

_request_id: ContextVar[str] = ContextVar("request_id", default="")
_SECRET_NAMES = re.compile(
    r"pass(word|wd|phrase)?$|secret|token|answer|authorization|cookie|^key$|_key$|session_id", re.IGNORECASE
)
# The query parameters that hold no secret; the values of all others are redacted.
_shown_parameters: set[str] = set()
REDACTED = "***"
_least = logging.NOTSET
# A client can send values of megabytes, as a user's name for example.
_LONGEST_VALUE = 4096
# The calls of an error that are logged, and the errors that led to it.
_FRAMES: Final = 12
_CAUSES: Final = 4


def request_id() -> str:
    """Return the id of the request or event that this thread works for, or an empty text."""
    return _request_id.get()


class request_scope:  # noqa: N801 -- used as `with request_scope(...)`
    """Let every log line and event of the block carry the request id `value`."""

    def __init__(self, value: str) -> None:
        self._value = value

    def __enter__(self) -> None:
        self._token = _request_id.set(self._value)

    def __exit__(self, *_error: object) -> None:
        _request_id.reset(self._token)


def show_parameters(names: Iterable[str]) -> None:
    """Let this process log the values of the query parameters `names`, which hold no secret."""
    _shown_parameters.update(names)


def redact_query(query: str) -> str:
    """Return a query string in which only the values of parameters that hold no secret are left.

    What stands between two `&` without a `=` is replaced as well: it may be the rest of a value that was not escaped.
    """
    if not query:
        return ""
    shown = []
    for pair in query.split("&"):
        name, equals, value = pair.partition("=")
        if unquote_plus(name) in _shown_parameters or not pair.strip("="):
            shown.append(pair)
        else:
            shown.append(f"{name}={REDACTED if value else ''}" if equals else REDACTED)
    return "&".join(shown)


def fault(error: BaseException) -> dict[str, Any]:
    """Return the fields that describe an unexpected error: `error`, `raised_at` and, where it has any, `causes`.

    They hold type, system error number and place, and no text: that may hold what the work was given, a password, a
    file's name or a path of this machine among it.
    """
    fields: dict[str, Any] = {"error": fault_name(error), "raised_at": place_of(error)}
    causes: list[dict[str, Any]] = []
    cause = _cause_of(error)
    while cause is not None and len(causes) < _CAUSES:
        causes.append({"error": fault_name(cause), "raised_at": place_of(cause)})
        cause = _cause_of(cause)
    return {**fields, "causes": causes} if causes else fields


def fault_name(error: BaseException) -> str:
    """Return the type of an error, with its number where the system gave it one."""
    number = error.errno if isinstance(error, OSError) else None
    return type(error).__name__ if number is None else f"{type(error).__name__} {number}"


def place_of(error: BaseException) -> list[str]:
    """Return the calls that led to an error as `module:function:line`, the outermost first."""
    frames = traceback.walk_tb(error.__traceback__)
    return [f"{frame.f_globals.get('__name__')}:{frame.f_code.co_name}:{line}" for frame, line in frames][-_FRAMES:]


def _cause_of(error: BaseException) -> BaseException | None:
    return error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _describe_fault(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Put the fields of `fault` in the place of `exc_info`: no line has a traceback with the texts of errors."""
    given = event.pop("exc_info", None)
    if given is True:
        given = sys.exc_info()
    error = given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException):
        event.update(fault(error))
    return event


def _add_request_id(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if value := _request_id.get():
        event.setdefault("request_id", value)
    return event


def _redact(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in event.items():
        if value and _SECRET_NAMES.search(name):
            event[name] = REDACTED
        elif name == "path" and isinstance(value, str):
            event[name] = _redact_path(value)
    return event


def _shorten(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in event.items():
        if isinstance(value, str) and len(value) > _LONGEST_VALUE:
            event[name] = f"{value[:_LONGEST_VALUE]}..."
    return event


def _make_text(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    r"""Show the bytes of names that are no UTF-8 as `\xNN`: a reader of JSON may refuse half of a surrogate pair."""
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = storable(value)
        elif isinstance(value, list | tuple):
            event[name] = [storable(one) if isinstance(one, str) else one for one in value]
    return event


def _redact_path(path: str) -> str:
    """Redact the query in a decoded path whose question mark the client had escaped."""
    before, mark, query = path.partition("?")
    return f"{before}{mark}{redact_query(query)}" if "=" in query else path


def configure(service: str, level: str = "info", stream: TextIO | None = None) -> None:
    """Write the lines of structlog and of the standard library to `stream` (stderr) as JSON, each with `service`."""
    shared: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        lambda _, __, event: {"service": service, **event},
        _add_request_id,
        _describe_fault,
        _redact,
        _shorten,
        structlog.processors.UnicodeDecoder(),
        _make_text,
    ]
    global _least  # noqa: PLW0603 -- one level for the process, like structlog's own settings
    number = _least = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(sort_keys=False, default=str)],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=stream or sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(sort_keys=False, default=str),
            ],
            foreign_pre_chain=[*shared[:-2], structlog.stdlib.add_logger_name],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(number, logging.WARNING) if number > logging.DEBUG else logging.INFO)


class Logger:
    """The logger of one module or package; event names are constant, data goes into fields."""

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def info_enabled(self) -> bool:
        """True while lines of level info are written; callers ask before they compute expensive fields."""
        return _least <= logging.INFO

    def debug(self, event: str, **fields: Any) -> None:
        """Write a line for debugging."""
        self._write(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: Any) -> None:
        """Write a line about normal operation."""
        self._write(logging.INFO, event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        """Write a line that may need an operator's attention."""
        self._write(logging.WARNING, event, fields)

    def error(self, event: str, **fields: Any) -> None:
        """Write a line that needs an operator's attention."""
        self._write(logging.ERROR, event, fields)

    def exception(self, event: str, **fields: Any) -> None:
        """Write a line about the current exception: its type and its place."""
        self._write(logging.ERROR, event, {"exc_info": True, **fields})

    def _write(self, level: int, event: str, fields: dict[str, Any]) -> None:
        # structlog would build a logger for each line before it drops a line below its level.
        if level >= _least:
            shown = _describe_fault(None, "", fields) if "exc_info" in fields else fields
            getattr(structlog.get_logger(), _METHODS[level])(event, logger=self._name, **shown)


_METHODS: Final = {logging.DEBUG: "debug", logging.INFO: "info", logging.WARNING: "warning", logging.ERROR: "error"}


@functools.cache
def get(name: str) -> Logger:
    """Return the logger called `name`; each of its lines has the name in the field `logger`."""
    return Logger(name)
