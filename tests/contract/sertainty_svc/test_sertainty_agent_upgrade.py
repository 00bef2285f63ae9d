"""The agent of the first version is brought to the newest tables and back, on both databases."""

import importlib.util
from importlib import resources

import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

from mft_common.database import Database
from sertainty_svc import SERVICE
from sertainty_svc.domain.agent import Agent
from sertainty_svc.store import agent as store
from sertainty_svc.store.tables import metadata


@pytest.fixture
def database(database_url):
    made = Database(database_url, schema=SERVICE, metadata=metadata, migrations="", head="")
    if made.dialect == "postgresql":
        with made.write() as connection:
            connection.execute(sa.text(f'CREATE SCHEMA "{SERVICE.replace("-", "_")}"'))
    yield made
    made.close()


def run(database, direction, name):
    """Run `upgrade` or `downgrade` of a revision."""
    path = resources.files("sertainty_svc.migrations") / "versions" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"revision_{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with database.write() as connection, Operations.context(MigrationContext.configure(connection)):
        getattr(module, direction)()


def test_68_the_agent_of_the_first_version_is_as_it_was(database):
    """Item 68: its wished state and its heartbeat stay, it counts as started, and has no log yet."""
    run(database, "upgrade", "0001_first")
    with database.write() as connection:
        connection.execute(sa.text("UPDATE agent SET enabled = false, beat_at = 5000000000"))
    run(database, "upgrade", "0002_tasks")
    with database.read() as connection:
        assert store.find(connection) == Agent(running=True, enabled=False, beat_at=5_000_000_000)
    run(database, "downgrade", "0002_tasks")
    with database.read() as connection:
        row = connection.execute(sa.text("SELECT running, enabled, beat_at FROM agent")).one()
    assert [int(value) for value in row] == [1, 0, 5_000_000_000]
    run(database, "upgrade", "0002_tasks")
    with database.read() as connection:
        assert store.find(connection).started
