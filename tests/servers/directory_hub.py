"""Accounts, a clock and a directory for the test suites of the gateway's directory."""

import sqlalchemy as sa

from gateway.domain import AccountSpec, Prompt
from gateway.store.tables import OUTBOX

SERVICE = "filestore-svc"
PORT = "Port of registry?"
BERTH = "Berth number?"
ACCOUNTS = (
    AccountSpec(name="part1", password="partner1", contact="Partner One", grants={"http_mft": {"contract": "std"}}),
    AccountSpec(name="reader1", password="reader1", grants={"http_mft": {}}),
    AccountSpec(name="away", password="away1", enabled=False, grants={"http_mft": {}}),
    AccountSpec(name="late", password="late1", expired=True, grants={"diplomat": {"role": "Viewer"}}),
    AccountSpec(
        name="operator",
        grants={"data_protector": {"role": "full", "trusted": True, "trusted_from": ["192.0.2.0/24"]}},
    ),
    AccountSpec(
        name="auditor",
        grants={"data_protector": {"role": "full", "trusted": False, "trusted_from": []}},
        prompts=(Prompt(text=PORT, answer="rotterdam"), Prompt(text=BERTH, answer="7")),
    ),
)


class Time:
    """A clock that a test advances."""

    def __init__(self):
        self.now = 1_700_000_000_000

    def __call__(self):
        """Return the time."""
        return self.now

    def pass_by(self, seconds):
        """Advance the clock by `seconds`."""
        self.now += int(seconds * 1000)


class Hub:
    """A directory as its callers see it, with its database and its clock."""

    def __init__(self, database, operations, directory, time):
        self.database = database
        self.operations = operations
        self.directory = directory
        self.time = time

    def events(self):
        """Return type and data of each event in the outbox, oldest first."""
        table = OUTBOX.table
        with self.database.read() as connection:
            query = sa.select(table.c.type, table.c.data).order_by(table.c.position)
            return [tuple(row) for row in connection.execute(query)]

    def open(self, account="part1", **more):
        """Open a session with the arguments that most tests use."""
        return self.directory.open_session(service=SERVICE, account=account, **more)
