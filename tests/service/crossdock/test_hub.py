"""Gateway and services of one process, opened and closed together."""

import gc
from pathlib import Path

import pytest
import sqlalchemy as sa

from crossdock import configuration, environment, hub


def open_databases(folder):
    """Return the databases below `folder` that this process has open."""
    found = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            found.add(str(descriptor.readlink()))
        except FileNotFoundError:
            continue
    return sorted(name for name in found if name.startswith(str(folder)) and name.endswith((".db", ".db-wal")))


def test_a_hub_that_cannot_be_built_leaves_no_database_open(tmp_path):
    """The supervisor forks processes later, and SQLite's connections must not be carried over a fork."""
    settings = environment.of_one_machine(tmp_path, {}, host="127.0.0.1", demo=True)
    document, reader = configuration.read(None, settings, demo=True)
    gc.disable()
    try:
        with pytest.raises(sa.exc.ArgumentError):
            hub.build({**settings, "SERTAINTY_DATABASE_URL": "no URL"}, document, reader)
        assert open_databases(tmp_path) == []
    finally:
        gc.enable()
