"""Render every answer as XML, with its elements in the order of the API."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from xml.etree.ElementTree import Element

from diplomat_svc import __version__
from diplomat_svc.domain.histories import FileHistory, JobHistory, Statuses, TransactionStatus
from diplomat_svc.domain.names import unpack_label
from diplomat_svc.domain.states import COMPLETE
from diplomat_svc.domain.transactions import DIRECTIONS
from mft_common import xml
from mft_common.directory import Account, Session

CONTENT_TYPE: Final = "text/xml; charset=UTF-8"
BUILD: Final = "20261121"
_PIECE: Final = 64 << 10


@dataclass(frozen=True)
class Answer:
    """A status, a body, whole or in pieces, and further headers."""

    status: int
    body: bytes | Iterator[bytes]
    headers: Mapping[str, str] = field(default_factory=dict)


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _root(kind: str, status: int) -> Element:
    root = Element("diplomatApiResponse", {"responseType": kind})
    xml.add(root, "statusCode", str(status))
    return root


def _fill(parent: Element, pairs: Iterable[tuple[str, str]]) -> None:
    for name, value in pairs:
        xml.add(parent, name, value)


def _answer(root: Element, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(int(root[0].text or "500"), xml.to_bytes(root), headers or {})


def ok() -> Answer:
    """Render an answer that holds the status 200 alone (A4)."""
    return _answer(_root("okResponse", 200))


def error(status: int, message: str, headers: Mapping[str, str] | None = None) -> Answer:
    """Render an error with one sentence (A3)."""
    root = _root("errorResponse", status)
    xml.add(root, "message", message)
    return _answer(root, headers)


def _about(root: Element, display_name: str) -> None:
    about = (("appVersion", __version__), ("serverBuildID", BUILD), ("serverDisplayName", display_name))
    _fill(root, about)


def connected(account: Account, role: str, display_name: str, cookie: str) -> Answer:
    """Render a connect that opened a session (28)."""
    root = _root("connectResponse", 200)
    _about(root, display_name)
    user = xml.add(root, "diplomatUser")
    _fill(
        user,
        (
            ("id", f"{account.number:016d}"),
            ("contactName", account.contact),
            ("userRole", role),
            ("userName", account.name),
            ("lastPasswordUpdate", str(account.password_changed_at)),
            ("domain", ""),
            ("userID", ""),
            ("twoFactorAuth", _flag(False)),
            ("updatedToV52", _flag(True)),
        ),
    )
    xml.add(root, "authStrategy", "Password")
    _fill(root, ((name, _flag(False)) for name in ("maxConnections", "passwordExpired", "noSession")))
    return _answer(root, {"Set-Cookie": cookie})


def full(sessions: Iterable[Session], display_name: str) -> Answer:
    """Render a connect that met the limit of sessions, with the list of them (29)."""
    root = _root("connectResponse", 409)
    _about(root, display_name)
    xml.add(root, "maxConnections", _flag(True))
    for session in sessions:
        domain, user_id = unpack_label(session.label)
        _fill(
            xml.add(root, "diplomatConnection"),
            (
                ("connectionID", session.public_id),
                ("sessionIpaddress", session.address),
                ("sessionDomain", domain),
                ("sessionUserID", user_id),
                ("contactName", session.contact),
            ),
        )
    _fill(root, (("passwordExpired", _flag(False)), ("noSession", _flag(False))))
    return _answer(root)


def expired(display_name: str) -> Answer:
    """Render a connect with a right password that must be changed first (A13)."""
    root = _root("connectResponse", 401)
    _about(root, display_name)
    _fill(root, (("maxConnections", _flag(False)), ("passwordExpired", _flag(True)), ("noSession", _flag(True))))
    return _answer(root)


def scheduled(at: int) -> Answer:
    """Render a runNow (34)."""
    root = _root("runNowResponse", 200)
    xml.add(root, "scheduledTime", str(at))
    return _answer(root)


def statuses(found: Statuses) -> Answer:
    """Render a transactionStatuses (60-66)."""
    root = _root("transactionStatusesResponse", 200)
    _fill(root, (("monitorTime", str(found.monitor_time)), ("dbUpdating", _flag(False))))
    start, end = xml.around(root)
    cells = [
        f'<transactionStatusSummary row="{row}" column="{column}" value="{found.cells.get((row, column), 0)}"/>'
        for row in range(4)
        for column in range(2)
    ]
    listed = [_status(one, found.monitor_time) for one in found.transactions]
    return Answer(200, b"".join((xml.DECLARATION, start, "".join([*cells, *listed]).encode(), end)))


def summary(text: str) -> Answer:
    """Render a summary (43)."""
    root = _root("summaryResponse", 200)
    xml.add(root, "summary", text)
    return _answer(root)


def log_view(view_id: str, lines: int, buffer_lines: int) -> Answer:
    """Render a logView (52)."""
    root = _root("logViewResponse", 200)
    _fill(root, (("id", view_id), ("numLines", str(lines)), ("bufferSize", str(buffer_lines))))
    return _answer(root)


def log_buffer(number: int, first_line: int, lines: Iterable[str]) -> Answer:
    """Render a logBuffer; `first_line` is that of this buffer (54, A49)."""
    root = _root("logBufferResponse", 200)
    _fill(root, (("bufferNumber", str(number)), ("lineNumber", str(first_line))))
    _fill(root, (("line", line) for line in lines))
    return _answer(root)


# One transaction of jobHistories: when it was collected, its name, and its jobs with their files.
Block = tuple[int, str, Iterator[tuple[JobHistory, Sequence[FileHistory]]]]


def histories(update_rate: int, blocks: Iterable[Block]) -> Answer:
    """Render a jobHistories as it is read, one job at a time (47, E42); `update_rate` is in seconds."""
    root = _root("jobHistoriesResponse", 200)
    _fill(root, (("jobHistoryEnabled", _flag(True)), ("jobHistoryClientUpdateRate", str(update_rate))))
    return Answer(200, _gathered(_histories(root, blocks)))


def _histories(root: Element, blocks: Iterable[Block]) -> Iterator[bytes]:
    start, end = xml.around(root)
    yield xml.DECLARATION + start
    for monitor_time, name, jobs in blocks:
        block = Element("jobHistories")
        _fill(block, (("monitorTime", str(monitor_time)), ("transactionName", name)))
        block_start, block_end = xml.around(block)
        yield block_start
        for job, files in jobs:
            yield _history(job, files, update_time=True).encode()
        yield block_end
    yield end


def _gathered(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Join small pieces to some of at least 64 KiB, and a last one."""
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= _PIECE:
            yield b"".join(held)
            held, size = [], 0
    yield b"".join(held)


def _status(one: TransactionStatus, monitor_time: int) -> str:
    history = "" if one.job is None else _history(one.job, one.files)
    return (
        f"<transactionStatus><monitorTime>{monitor_time}</monitorTime><transactionId>{one.id:016d}</transactionId>"
        f"{xml.leaf('transactionName', one.name)}{xml.leaf('transactionType', DIRECTIONS[one.direction])}"
        f"{xml.leaf('transactionState', one.state)}{history}</transactionStatus>"
    )


def _history(job: JobHistory, files: Iterable[FileHistory], *, update_time: bool = False) -> str:
    """Render a job's record; end and completion are left out while the job is active (67, A43).

    Records are rendered as text, not as elements: an answer may hold many thousands.
    """
    over = job.status == COMPLETE
    updated = f"<updateTime>{job.updated_at}</updateTime>" if update_time else ""
    ended = f"<endTime>{job.ended_at}</endTime>" if over else ""
    completion = xml.leaf("completionStatus", job.completion or "") if over else ""
    scheduled = f"<nextScheduled>{job.next_scheduled}</nextScheduled>" if job.next_scheduled is not None else ""
    return (
        f"<jobHistory><sequence>{job.token}</sequence>{updated}{xml.leaf('transactionName', job.name)}"
        f"<startTime>{job.scheduled_at}</startTime>{ended}{xml.leaf('status', job.status)}{completion}"
        f"<filesFound>{job.found}</filesFound><filesSuccessful>{job.successful}</filesSuccessful>"
        f"<filesFailed>{job.failed}</filesFailed><execAttempt>{job.attempt}</execAttempt>"
        f"<completion>{round(job.fraction, 4)!r}</completion>{scheduled}"
        f"{''.join([_file(job, file) for file in files])}</jobHistory>"
    )


def _file(job: JobHistory, file: FileHistory) -> str:
    over = file.ended_at is not None
    ended = f"<endTime>{file.ended_at}</endTime>" if over else ""
    completion = xml.leaf("completionStatus", file.completion or "") if over else ""
    return (
        f"<fileHistory><sequence>{job.token}</sequence>{xml.leaf('source', file.source)}"
        f"{xml.leaf('destination', file.destination)}<startTime>{file.began_at}</startTime>{ended}"
        f"{xml.leaf('status', file.status)}{completion}<size>{file.size}</size>"
        f"<numRetries>{file.retries}</numRetries></fileHistory>"
    )
