"""Jobs whose stored definition was written by another version, and the retries that a job's events count."""

import json

import pytest

from mft_common.events.backlog import OUTBOX
from mft_common.identity import Signer
from tests.servers.made_secrets import secret
from tests.service.mft_common.filestore_doubles import FakeFilestore

SIGNER = Signer([secret("key-of-diplomat")])


@pytest.mark.parametrize("part", [None, "source", "destination", "retries"])
def test_a_stored_job_survives_a_field_of_a_transaction_that_no_longer_exists(hub, transaction, part):
    """A definition with a field that this version does not know is listed and run; the field is ignored."""
    made = hub(transaction("one")).log_in()
    (made.data / "from" / "f").write_bytes(b"x")
    made.run("one")
    (row,) = made.rows("SELECT definition FROM jobs")
    definition = json.loads(row.definition)
    (definition[part] if part else definition)["withdrawn_option"] = True
    with made.service.database.write() as connection:
        for table in ("jobs", "transactions"):
            connection.exec_driver_sql(f"UPDATE {table} SET definition = ?", (json.dumps(definition),))
    assert made.status("one").findtext("jobHistory/status") == "Queued"
    with made.work():
        assert made.finished("one").findtext("completionStatus") == "Successful"
        made.run("one")


@pytest.mark.parametrize("name", ["retries", "verify", "variables", "bandwidth"])
def test_a_stored_job_survives_a_field_of_a_transaction_that_it_does_not_have_yet(hub, transaction, name):
    """A definition that an older version wrote gets the default of a field that was added since."""
    made = hub(transaction("one")).log_in()
    (made.data / "from" / "f").write_bytes(b"x")
    made.run("one")
    (row,) = made.rows("SELECT definition FROM jobs")
    definition = json.loads(row.definition)
    del definition[name]
    with made.service.database.write() as connection:
        connection.exec_driver_sql("UPDATE jobs SET definition = ?", (json.dumps(definition),))
    with made.work():
        assert made.finished("one").findtext("completionStatus") == "Successful"


class _UnreliableStore(FakeFilestore):
    """A filestore that answers 503 to the first reads of a file."""

    def __init__(self, failures):
        super().__init__(SIGNER)
        self.failures = failures

    def __call__(self, environ, start_response):
        reads_file = environ["REQUEST_METHOD"] == "GET" and "/folders/" not in environ["PATH_INFO"]
        if reads_file and self.failures:
            self.failures -= 1
            start_response("503 Service Unavailable", [("Content-Length", "0")])
            return [b""]
        return super().__call__(environ, start_response)


def test_the_totals_of_a_job_count_the_retries_of_its_files_e5_68(hub, transaction):
    """Two failed reads are two retries: in the file's history, in the totals of the transfer, and in the database."""
    store = _UnreliableStore(failures=2)
    store.put("/in/a", b"content")
    made = hub(transaction("move", direction="inbound", source={"url": "filestore:/in"}), filestore=store).log_in()
    with made.work():
        made.run("move")
        job = made.finished("move")
    assert (job.findtext("completionStatus"), job.findtext("fileHistory/numRetries")) == ("Successful", "2")
    (end,) = made.rows(f"SELECT data FROM {OUTBOX.name} WHERE type = 'transfer.ended.v1'")
    assert json.loads(end.data)["totals"]["retries"] == 2
