"""The agents of a hub whose transfers the command shows, and what its tests ask of it."""

import json

import pytest

from mqmft_svc.store import managed as store

AGENTS = {
    "QUAY": {"qmgr": "QM1", "root": "file:quay"},
    "YARD": {"qmgr": "QM2", "root": "file:yard"},
    "BANK": {"qmgr": "QM1", "root": "endpoint:bank/in"},
    "VAULT": {"qmgr": "QM1", "root": "file:vault", "allow": ["treasury"]},
    "WIRE": {"qmgr": "QM1", "root": "file:wire", "queues": {"env": "BROKER"}},
    "SHED": {"qmgr": "QM1", "root": "file:shed", "maximum_queued_transfers": 1},
}
ENDPOINTS = {"bank": {"url": "ftp://hub@ftp.example.org/", "password": {"env": "BANK_PASSWORD"}}}
CONFIG = {"ibm_mq_mft": {"coordination_qmgr": "QM1", "agents": AGENTS}, "endpoints": ENDPOINTS}
# The words of a request from one agent to another.
WORDS = ("--from", "QUAY", "--to", "YARD")

# A test with this mark runs with a database of each kind, the others with SQLite alone.
on_both_databases = pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)


def json_of(result):
    """Return the JSON that a command printed, which has succeeded."""
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def whole(hub, id_):
    """Return a transfer as the REST API shows all of it."""
    (found,) = hub.mft(f"/{id_}?attributes=*").json["transfer"]
    return found


def managed(hub, id_):
    """Return a managed transfer as a worker reads it."""
    with hub.service.database.read() as connection:
        return store.find(connection, id_)
