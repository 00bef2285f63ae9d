"""Keep the configuration that was applied last in a service's database, so that its running workers use it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Generic, Protocol, TypeVar

import sqlalchemy as sa
import yaml

from mft_common import logs
from mft_common.config import Reader
from mft_common.database.statements import Connection, Statement
from mft_common.errors import ConfigError

T = TypeVar("T")

_ROW: Final = 1


class Operations(Protocol):
    """The part of alembic's `op` that a migration uses here."""

    def get_bind(self) -> sa.Connection:
        """Return the migration's connection."""
        ...


class AppliedConfiguration:
    """A table of one row: the sections of crossdock.yaml that a service uses, and a revision.

    Secrets are stored as the references that the file holds, with the folder where relative ones start. Building a
    service stores its sections, in the transaction that brings its other tables to the configuration; a worker that
    runs already reads the row when a piece of work begins.
    """

    def __init__(self, metadata: sa.MetaData, *sections: str) -> None:
        self._sections = sections
        self._table = _table(metadata)
        self._revision = Statement(sa.select(self._table.c.revision))

    def store(self, connection: sa.Connection, document: Mapping[str, Any], folder: Path | None) -> None:
        """Store this service's sections of `document`; the revision grows only where something differs."""
        wanted = {name: document[name] for name in self._sections if name in document}
        values = {"document": yaml.safe_dump(wanted, sort_keys=True), "folder": str(folder or "")}
        c = self._table.c
        differs = sa.or_(c.document != values["document"], c.folder != values["folder"])
        connection.execute(sa.update(self._table).where(differs).values(**values, revision=c.revision + 1))

    def revision(self, connection: Connection) -> int:
        """Return the number of the stored configuration; 0 before the first one."""
        row = self._revision.first(connection, {})
        return 0 if row is None else int(row[0])

    def fetch(self, connection: sa.Connection) -> tuple[int, dict[str, Any], Path]:
        """Return revision, sections and the folder of relative references."""
        row = connection.execute(sa.select(self._table)).one()
        return row.revision, yaml.safe_load(row.document), Path(row.folder)


class ConfigurationFollower(Generic[T]):
    """The applied configuration as a worker uses it: parsed anew only when its revision changed.

    Work that begins calls `refresh` and keeps the value that it got; work that runs is not disturbed. Several threads
    may share one.
    """

    def __init__(
        self, applied: AppliedConfiguration, parse: Callable[[Mapping[str, Any], Reader], T], current: T, reader: Reader
    ) -> None:
        # In one tuple: of two threads that refresh at once, the slower one must not store a value without its revision.
        self._known = (0, current)
        self._applied = applied
        self._parse = parse
        self._reader = reader

    @property
    def current(self) -> T:
        """The configuration as of the last `refresh`."""
        return self._known[1]

    def refresh(self, connection: sa.Connection) -> T:
        """Return the newest configuration that `connection` sees; the former one where it cannot be used here."""
        known, current = self._known
        if self._applied.revision(connection) == known:
            return current
        revision, document, folder = self._applied.fetch(connection)
        reader = replace(self._reader, folder=folder, problems=[])
        try:
            parsed = self._parse(document, reader)
            reader.check()
            current = parsed
            logs.get("configuration").info("configuration.refreshed", revision=revision)
        except ConfigError as error:
            logs.get("configuration").error("configuration.unusable", revision=revision, problems=error.problems)
        self._known = (revision, current)
        return current


def _table(metadata: sa.MetaData) -> sa.Table:
    return sa.Table(
        "applied_configuration",
        metadata,
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("folder", sa.Text(), nullable=False),
    )


def create_table(op: Operations) -> None:
    """Create the table and its row, in a migration."""
    table = _table(sa.MetaData())
    table.create(op.get_bind())
    op.get_bind().execute(sa.insert(table).values(id=_ROW, revision=0, document="{}", folder=""))


def drop_table(op: Operations) -> None:
    """Undo `create_table`."""
    _table(sa.MetaData()).drop(op.get_bind())
