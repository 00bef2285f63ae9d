import random

import pytest
from click.testing import CliRunner

from crossdock.command import main
from mqmft_svc import bootstrap
from mqmft_svc.schemas.documents import whole_document
from mqmft_svc.settings import Settings
from mqmft_svc.store import transfers as store
from tests.unit.mqmft_svc import transferlog_messages as messages
from tests.unit.mqmft_svc.transferlog_record import shown, traffic


class Record:
    """The record of a hub on a data folder."""

    def __init__(self, data):
        folder = data / "state" / "mqmft-svc"
        folder.mkdir(parents=True)
        settings = Settings.from_env({"MQMFT_DATABASE_URL": f"sqlite:///{folder}/mqmft.db"})
        section = {"ibm_mq_mft": {"coordination_qmgr": "QMHUB"}}
        self.service = bootstrap.build(settings, directory=object(), config=section)
        self.database = self.service.database

    def documents(self):
        """Return all transfers by id."""
        with self.database.read() as connection:
            known = store.newest(connection, 10_000, brief=False)
            items = store.items(connection, [one.arrival for one in known])
        return {one.id: whole_document(one, items[one.arrival]) for one in known}


@pytest.fixture
def record(tmp_path):
    """The record of a hub that was started once, on `tmp_path / "data"`."""
    made = Record(tmp_path / "data")
    yield made
    made.service.close()


@pytest.fixture
def run(tmp_path):
    """Return a function that writes a capture log of lines, and gives the result of the command."""

    def run_command(*lines, data="data"):
        file = tmp_path / "capture0.log"
        file.write_bytes(b"".join(line + b"\n" for line in lines))
        return CliRunner().invoke(main, ["mqmft", "ingest", "--data", str(tmp_path / data), str(file)])

    return run_command


def line(body, topic=b"SYSTEM.FTE/Log/QUAY/414d51"):
    """Return a line of a capture log."""
    return b"2026-05-04T21:00:00.000+0100!" + topic + b"!" + body


def test_192_a_capture_log_becomes_transfers(record, run):
    """Item 192: its messages are those of the topic, and reading it again changes nothing."""
    stories, bodies = traffic(20, random.Random(7))
    lines = [*map(line, bodies), line(b"<request/>", b"SYSTEM.FTE.COMMAND.QUAY"), b"", b"2026!no topic"]
    for _ in range(2):
        result = run(*lines)
        assert result.exit_code == 0, result.output
        assert result.stdout.endswith(f"capture0.log: {len(bodies)} message(s)\n")
        assert record.documents() == {id_: shown(*story) for id_, story in stories.items()}


def test_192_marks_of_the_format_within_a_message_are_its_own(record, run):
    """Item 192: a line is split at its first two marks alone."""
    body = messages.completed(supplement="BFGRP0032I: well! done!")
    assert run(line(body)).exit_code == 0
    assert record.documents()[messages.ID.upper()]["status"]["description"] == "BFGRP0032I: well! done!"


def test_193_lines_that_cannot_be_read_are_named_and_stop_nothing(record, run):
    """Item 193: exit code 1, and the messages around them are in the record."""
    result = run(line(b"<transaction>"), line(messages.started()), line(b"x" * (5 << 20)), line(messages.completed()))
    assert result.exit_code == 1
    first, second = result.stderr.splitlines()
    assert "capture0.log:1: the document is not well-formed" in first
    assert "capture0.log:3: the message has" in second
    assert record.documents()[messages.ID.upper()]["status"]["state"] == "successful"


def test_a_transfer_without_queue_managers_gets_the_one_of_the_configuration(record, run):
    """As for every other transfer of the record (204)."""
    body = messages.started().replace(b' QMgr="QMHARBOUR"', b"")
    assert run(line(body)).exit_code == 0
    assert record.documents()[messages.ID.upper()]["sourceAgent"] == {"name": "QUAY", "qmgrName": "QMHUB"}


def test_a_hub_that_never_started_is_named(run):
    """Exit code 2, and no database is made."""
    result = run(line(messages.started()), data="none")
    assert result.exit_code == 2
    assert "there is no hub's data in" in result.stderr
