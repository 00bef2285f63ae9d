"""The parts that every family of functions uses."""

from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa

from mft_common.clock import Clock
from mft_common.database import Database
from sertainty_svc.operations.calls import Call
from sertainty_svc.schemas.configuration import Section
from sertainty_svc.schemas.folders import Roots
from sertainty_svc.settings import Settings
from sertainty_svc.store import logs


@dataclass(frozen=True)
class Context:
    """The database, the settings, the clock, and the section that is in force by a connection."""

    database: Database
    settings: Settings
    section: Callable[[sa.Connection], Section]
    now: Clock

    def roots(self) -> Roots:
        """Return the folders that tasks may reach by the configuration in force."""
        with self.database.read() as connection:
            section = self.section(connection)
        return Roots(section.folders, section.named_folders)

    def log(self, connection: sa.Connection, call: Call, event: str, text: str, *, config: str = "") -> None:
        """Append an entry about a change by a call to the agent's log, in the transaction of the change (74)."""
        user = "" if call.caller is None else call.caller.account.name
        address = call.identity.address or ""
        logs.append_to_agent(connection, self.now(), event, text, user=user, address=address, config=config)
