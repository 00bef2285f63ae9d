"""Open what a hub keeps for Data Protector: its database, its settings, and its section of the configuration."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from crossdock import databases, environment
from crossdock.errors import CannotStart, Refused
from mft_common import logs
from mft_common.clock import now_ms
from mft_common.config import Reader
from mft_common.database import Database
from mft_common.directory import Account
from mft_common.identity import Identity
from mft_common.ids import new_request_id
from sertainty_svc import SERVICE
from sertainty_svc.errors import Outcome
from sertainty_svc.operations.calls import Call, Caller, Operation
from sertainty_svc.operations.context import Context
from sertainty_svc.schemas.configuration import Section, read_sections
from sertainty_svc.settings import Settings
from sertainty_svc.store.tables import APPLIED
from sertainty_svc.wire import Reply

_DATABASE: Final = "SERTAINTY_DATABASE_URL"
_ACCOUNT: Final = "system"


@dataclass(frozen=True)
class Protector:
    """The Data Protector of one hub; without a hub on the data folder `stored` is None, and `section` is empty."""

    settings: Settings
    section: Section
    stored: Database | None

    @property
    def database(self) -> Database:
        """The database; CannotStart without a hub."""
        if self.stored is None:
            raise CannotStart(f"there is no hub's data in {self.settings.data}: name the folder with --data")
        return self.stored

    @property
    def context(self) -> Context:
        """The parts that the vendor's functions use, over this database and configuration."""
        return Context(self.database, self.settings, lambda _connection: self.section, now_ms)


@contextmanager
def opened(data: Path, environ: Mapping[str, str], *, needed: bool = True) -> Iterator[Protector]:
    """Open the database of the hub on a data folder, or the one that the environment names; CannotStart.

    Where no hub is `needed`, there may be none.
    """
    # The lines of the operations would stand between those that a program reads.
    logs.configure("crossdock", "warning")
    settings = Settings.from_env({**environ, **environment.database_urls(data, environ), "MFT_DATA": str(data)})
    with ExitStack() as stack:
        database = None
        try:
            database = stack.enter_context(databases.opened(SERVICE, _DATABASE, data, environ))
        except CannotStart:
            if needed:
                raise
        section = Section() if database is None else _section(database, data, environ)
        yield Protector(settings, section, database)


def _section(database: Database, data: Path, environ: Mapping[str, str]) -> Section:
    """Return the section of the configuration that was applied last."""
    with database.read() as connection:
        _, document, folder = APPLIED.fetch(connection)
    return read_sections(document, Reader(folder, environ, data=data))


def call(function: Operation, **arguments: Any) -> Reply:
    """Call a function of the vendor as the account `system`; Refused says why it cannot be done.

    The name of an argument has underscores for the vendor's hyphens; a list is an argument that may repeat.
    """
    given = {
        name.replace("_", "-"): value if isinstance(value, list) else [value]
        for name, value in arguments.items()
        if value is not None
    }
    caller = Caller(token="", account=Account(name=_ACCOUNT))
    try:
        return function(Call(identity=Identity(request_id=new_request_id()), caller=caller, arguments=given))
    except Outcome as error:
        raise Refused(error.detail or error.text) from error
