"""`crossdock transfer submit` over a hub's database."""

import json

import pytest
import sqlalchemy as sa

from mqmft_svc.schemas.submissions import submission
from mqmft_svc.store.tables import OUTBOX
from tests.service.crossdock.transfers.transfer_hub import (
    AGENTS,
    ENDPOINTS,
    WORDS,
    json_of,
    managed,
    on_both_databases,
    whole,
)

BODY = {
    "sourceAgent": {"name": "QUAY", "qmgrName": "QM1"},
    "destinationAgent": {"name": "YARD", "qmgrName": "QM2"},
    "transferSet": {"item": [{"source": {"name": "report.txt"}, "destination": {"name": "in/report.txt"}}]},
}


@pytest.mark.parametrize(
    ("arguments", "item", "more"),
    [
        (["a.txt", "b.txt"], {"source": {"name": "a.txt"}, "destination": {"name": "b.txt"}}, {}),
        (
            ["a/", "b/"],
            {"source": {"name": "a/", "type": "directory"}, "destination": {"name": "b/", "type": "directory"}},
            {},
        ),
        (
            ["a", "b/", "--recursive"],
            {
                "source": {"name": "a", "type": "directory", "recursive": True},
                "destination": {"name": "b/", "type": "directory"},
            },
            {},
        ),
        (
            ["a/*.txt", "b/", "--recursive", "--text", "--delete-source", "--if-exists", "overwrite"],
            {
                "mode": "text",
                "source": {"name": "a/*.txt", "recursive": True, "disposition": "delete"},
                "destination": {"name": "b/", "type": "directory", "actionIfExists": "overwrite"},
            },
            {},
        ),
        (
            ["a", "b", "--checksum", "none", "--priority", "7", "--recovery-timeout", "0", "--retries", "0",
             "--property", "order=47=11", "--property", "empty="],
            {"checksum": "none", "source": {"name": "a"}, "destination": {"name": "b"}},
            {"priority": 7, "recoveryTimeout": 0, "retryCount": 0, "userProperties": {"order": "47=11", "empty": ""}},
        ),
    ],
)  # fmt: skip
def test_the_words_of_a_request_are_those_of_the_api(hub, run, arguments, item, more):
    """A worker gets the same as for a request with the equal body."""
    result = run("submit", *WORDS, "--job", "nightly", *arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    body = {**BODY, "job": {"name": "nightly"}, "transferSet": {"item": [item], **more}}
    assert managed(hub, result.stdout.strip()).submission == submission(body)


@on_both_databases
def test_a_transfer_is_submitted(hub, run, submitted):
    """Its id is all that is printed; record and event are those of the account `system`, and it waits for a worker."""
    id_ = submitted()
    found = managed(hub, id_)
    assert (found.status, found.account, len(found.request_id)) == ("queued", "system", 32)
    assert whole(hub, id_)["originator"]["userId"] == "system"
    with hub.service.database.read() as connection:
        assert list(connection.execute(sa.select(OUTBOX.table.c.type)).scalars()) == ["transfer.started.v1"]
    document = json_of(run("submit", *WORDS, "a", "b", "--format", "json"))
    assert document == whole(hub, document["id"])


@pytest.mark.usefixtures("hub")
def test_the_secrets_of_agents_are_not_needed(run):
    """The command has no password of the endpoint below an agent's root."""
    assert run("submit", "--from", "BANK", "--to", "YARD", "a", "b").exit_code == 0


@pytest.mark.parametrize("by", ["file", "-"])
def test_a_request_is_read_from_a_file(hub, run, tmp_path, by):
    """The body of a POST transfer, from a file or from standard input; a byte order mark is nothing."""
    text = "\ufeff" + json.dumps(BODY)
    file = tmp_path / "request.json"
    file.write_text(text, encoding="utf-8")
    result = run("submit", "--file", str(file) if by == "file" else "-", given=text)
    assert result.exit_code == 0, result.output
    assert managed(hub, result.stdout.strip()).submission == submission(BODY)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a", "b", "--from", "QUAY"], "SOURCE, DESTINATION, --from and --to are needed"),
        ([*WORDS, "a"], "SOURCE, DESTINATION, --from and --to are needed"),
        ([*WORDS, "a", "b", "--file", "-"], "--file is the whole request"),
        (["--text", "--file", "-"], "--file is the whole request"),
        (["--priority", "0", "--file", "-"], "--file is the whole request"),
        ([*WORDS, "a", "b", "--property", "order"], "is not of the form NAME=VALUE"),
        ([*WORDS, "a", "b", "--property", "crossdock.x=1"], "transferSet.userProperties"),
        ([*WORDS, "a", "b", "--priority", "10"], "'transferSet.priority'"),
        ([*WORDS, "a", "b", "--recovery-timeout", "-2"], "'transferSet.recoveryTimeout'"),
        ([*WORDS, "a", "b", "--retries", "1001"], "'transferSet.retryCount'"),
        ([*WORDS, "a" * 5000, "b"], "'transferSet.item[0].source.name'"),
        (["--from", "NONE", "--to", "YARD", "a", "b"], "There is no agent 'NONE'"),
        (["--from", "QUAY", "--to", "none", "a", "b"], "There is no agent 'NONE'"),
        (["--file", "-"], "not a JSON object"),
        (["--file", "none.json"], "none.json: No such file"),
    ],
)
def test_a_request_that_is_wrong_is_exit_code_2(hub, run, arguments, message):
    """One line says why, with the path of the attribute; nothing is recorded."""
    result = run("submit", *arguments, given="[]")
    assert (result.exit_code, message in result.stderr, result.stdout) == (2, True, ""), result.output
    assert hub.mft().json == {"transfer": []}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({**BODY, "sourceAgent": {"name": "QUAY"}}, "'sourceAgent.qmgrName' is not right: it is missing"),
        (
            {**BODY, "destinationAgent": {"name": "YARD", "qmgrName": "QM1"}},
            "There is no agent 'YARD' of the queue manager 'QM1'.",
        ),
        ({**BODY, "job": {"name": "x" * (1 << 20)}}, "too large"),
    ],
)
def test_a_file_that_is_wrong_is_exit_code_2(hub, run, body, message):
    """The checks are those of the REST API."""
    result = run("submit", "--file", "-", given=json.dumps(body))
    assert (result.exit_code, message in result.stderr) == (2, True), result.output
    assert hub.mft().json == {"transfer": []}


@pytest.mark.parametrize(
    ("arguments", "state", "reason"),
    [
        (["--from", "VAULT", "--to", "YARD", "a", "b"], "notAuthorized", "VAULT does not take requests of the user"),
        (["--file", "-"], "failed", "YARD has no message broker"),
        (["--from", "SHED", "--to", "YARD", "a", "b"], "failed", "1 transfers wait at the agent SHED already"),
    ],
)
@pytest.mark.parametrize("watching", [[], ["--watch"]])
def test_a_transfer_that_no_agent_carries_out_is_exit_code_1(hub, run, arguments, state, reason, watching):
    """It is accepted and has ended at once, as the REST API does it; a line says why."""
    assert run("submit", "--from", "SHED", "--to", "YARD", "a", "b").exit_code == 0
    item = {"source": {"name": "a"}, "destination": {"name": "Q", "type": "queue"}}
    body = {**BODY, "transferSet": {"item": [item]}}
    result = run("submit", *arguments, *watching, given=json.dumps(body))
    assert (result.exit_code, reason in result.stderr) == (1, True), result.output
    assert whole(hub, result.stdout.splitlines()[0])["status"]["state"] == state


def test_a_hub_without_coordination_queue_manager_takes_no_transfer(make_hub, run):
    """As in the REST API; the record can be read."""
    make_hub({"ibm_mq_mft": {"agents": AGENTS}, "endpoints": ENDPOINTS})
    result = run("submit", *WORDS, "a", "b")
    assert (result.exit_code, "No coordination queue manager is set" in result.stderr) == (2, True)
    assert run("list").exit_code == 0
