"""Read where audit records go, and which transactions have them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from marshmallow import Schema, fields, post_load

from diplomat_svc.domain.transactions import Audit, AuditTrail
from mft_common import config

_YES: dict[str, Any] = {"truthy": {True}, "falsy": {False}}
_PASSWORDS: Final = {"password", "passwd", "pwd", "sslpassword"}


class AuditSchema(Schema):
    """The section `diplomat.audit`."""

    url = fields.String(required=True)
    password = fields.Raw(load_default=None)
    critical = fields.Boolean(load_default=False, **_YES)


class TransactionAuditSchema(Schema):
    """The key `audit` of a transaction; what it leaves out is as `diplomat.audit` says."""

    record = fields.Boolean(load_default=None, **_YES)
    critical = fields.Boolean(load_default=None, **_YES)

    @post_load
    def _make(self, values: dict[str, Any], **_kwargs: Any) -> Audit:
        return Audit(**values)


def read_trail(given: Mapping[str, Any], reader: config.Reader) -> AuditTrail | None:
    """Return the audit database of a section that AuditSchema has loaded; problems go to `reader.problems`."""
    try:
        url = sa.make_url(given["url"])
    except sa.exc.ArgumentError:
        reader.problems.append("diplomat.audit.url: is no URL of a database")
        return None
    if url.password is not None or _PASSWORDS & url.query.keys():
        reader.problems.append("diplomat.audit.url: holds no password; give it as password: {env: NAME}")
        return None
    if given["password"] is not None:
        url = url.set(password=reader.secret(given["password"], "diplomat.audit.password"))
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    problem = _driver_problem(url)
    folder = ""
    if not problem and url.get_backend_name() == "sqlite":
        problem, url, folder = _file_of(url, reader.data)
    if problem:
        reader.problems.append(f"diplomat.audit.url: {problem}")
        return None
    return AuditTrail(url=url.render_as_string(hide_password=False), folder=folder)


def _driver_problem(url: sa.URL) -> str:
    try:
        dialect = url.get_dialect()
        dialect.import_dbapi()
    except (sa.exc.NoSuchModuleError, ImportError):
        return f"no driver for {url.drivername} is installed"
    return "needs a driver without asyncio" if dialect.is_async else ""


def _file_of(url: sa.URL, data: Path) -> tuple[str, sa.URL, str]:
    """Return a problem, the URL with an absolute path, and the folder that the service makes, below `data` alone."""
    name = url.database or ""
    if name in ("", ":memory:") or name.startswith("file::memory:"):
        return "a SQLite database needs a file", url, ""
    if name.startswith("file:"):
        return ("" if name.startswith("file:/") else "a file: name is absolute"), url, ""
    path = Path(name)
    if path.is_absolute():
        return "", url, ""
    if ".." in path.parts or path.parts[0] == "state":
        return "a relative file lies below the data folder, and outside of the hub's own state", url, ""
    return "", url.set(database=str(data / path)), str((data / path).parent)


def audit_of(given: Audit, section: Mapping[str, Any] | None, path: str, problems: list[str]) -> Audit:
    """Return what a transaction's audit is, with the section's values where it names none of its own."""
    record = section is not None if given.record is None else given.record
    if record and section is None:
        problems.append(f"{path}.audit: diplomat.audit names no database")
    critical = record and bool(section and section.get("critical")) if given.critical is None else given.critical
    if critical and not record:
        problems.append(
            f"{path}.audit.critical: there is no record that could fail; it needs diplomat.audit, and no record: false"
        )
    return Audit(record=record, critical=critical)
