"""Render every answer as XML, with its elements in the order of the API."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final
from xml.etree.ElementTree import Element

from diplomat_svc import __version__
from diplomat_svc.domain.jobs import FileRecord, Job, Statuses, TransactionStatus
from diplomat_svc.domain.names import unpack_label
from diplomat_svc.domain.states import COMPLETE
from mft_common import xml
from mft_common.directory import Account, Session

CONTENT_TYPE: Final = "text/xml; charset=UTF-8"
BUILD: Final = "20261121"
_TYPES: Final = {"outbound": "Outbound", "inbound": "Inbound"}


@dataclass(frozen=True)
class Answer:
    """A status, a body and further headers."""

    status: int
    body: bytes
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
    for row in range(4):
        for column in range(2):
            value = str(found.cells.get((row, column), 0))
            cell = (("row", str(row)), ("column", str(column)), ("value", value))
            xml.add(root, "transactionStatusSummary", attributes=cell)
    for one in found.transactions:
        _status(root, one, found.monitor_time)
    return _answer(root)


def _status(root: Element, one: TransactionStatus, monitor_time: int) -> None:
    element = xml.add(root, "transactionStatus")
    _fill(
        element,
        (
            ("monitorTime", str(monitor_time)),
            ("transactionId", f"{one.id:016d}"),
            ("transactionName", one.name),
            ("transactionType", _TYPES[one.direction]),
            ("transactionState", one.state),
        ),
    )
    if one.job is not None:
        _history(element, one.job, one.files)


def _history(parent: Element, job: Job, files: Iterable[FileRecord]) -> None:
    """Append a job's record; end and completion are left out while the job is active (67, A43)."""
    element = xml.add(parent, "jobHistory")
    over = job.status == COMPLETE
    _fill(
        element,
        (
            ("sequence", job.token),
            ("transactionName", job.definition.name),
            ("startTime", str(job.scheduled_at)),
            *((("endTime", str(job.ended_at)),) if over else ()),
            ("status", job.status),
            *((("completionStatus", job.completion or ""),) if over else ()),
            ("filesFound", str(job.found)),
            ("filesSuccessful", str(job.successful)),
            ("filesFailed", str(job.failed)),
            ("execAttempt", str(job.attempt)),
            ("completion", repr(round(job.fraction, 4))),
        ),
    )
    for file in files:
        _file(element, job, file)


def _file(parent: Element, job: Job, file: FileRecord) -> None:
    over = file.ended_at is not None
    _fill(
        xml.add(parent, "fileHistory"),
        (
            ("sequence", job.token),
            ("source", file.source),
            ("destination", file.destination),
            ("startTime", str(file.began_at)),
            *((("endTime", str(file.ended_at)),) if over else ()),
            ("status", file.status),
            *((("completionStatus", file.completion or ""),) if over else ()),
            ("size", str(file.size)),
            ("numRetries", str(file.retries)),
        ),
    )
