"""The named transfers of crossdock.yaml: `crossdock transfer templates`, and `submit --template`."""

import copy

import pytest
import yaml
from click.testing import CliRunner

from crossdock.command import main
from mft_common.config import Reader
from mft_common.errors import ConfigError
from mqmft_svc.schemas.config import read_sections
from mqmft_svc.schemas.submissions import submission
from tests.service.crossdock.transfers.transfer_hub import CONFIG, WORDS, json_of, managed, on_both_databases, whole
from tests.unit.mqmft_svc import definition_samples as samples

BODY = {
    "job": {"name": "closing"},
    "sourceAgent": {"name": "quay", "qmgrName": "qm1"},
    "destinationAgent": {"name": "YARD", "qmgrName": "QM2"},
    "transferSet": {
        "item": [{"source": {"name": "out/*", "disposition": "delete"}, "destination": {"name": "in/"}}],
        "priority": 7,
    },
}
SCHEDULE = {"startTime": "2031-05-04T21:00", "timeBase": "utc"}
TRANSFERS = [{"name": "month end", **BODY}, {"name": "later", **BODY, "scheduleTransfer": SCHEDULE}]


def config(*transfers):
    """Return the configuration of the hub with named transfers."""
    return {**CONFIG, "ibm_mq_mft": {**CONFIG["ibm_mq_mft"], "transfers": list(transfers)}}


@pytest.fixture
def hub(make_hub):
    """A hub with two named transfers, and no worker that would carry anything out."""
    return make_hub(config(*TRANSFERS))


@on_both_databases
def test_a_named_transfer_is_submitted_as_often_as_wanted(hub, run):
    """Each time as a request of its own, which is the body that the configuration has."""
    ids = []
    for _ in range(2):
        result = run("submit", "--template", "month end")
        assert (result.exit_code, result.stderr) == (0, "")
        ids.append(result.stdout.strip())
    assert ids[0] != ids[1]
    assert [managed(hub, id_).submission for id_ in ids] == [submission(BODY)] * 2
    assert whole(hub, ids[0])["job"]["name"] == "closing"


def test_a_schedule_of_a_named_transfer_counts_or_is_replaced(hub, run):
    """`--start` and the like take its place as a whole; one without a schedule gets one."""
    found = [
        managed(hub, run("submit", "--template", *words).stdout.strip()).submission.schedule
        for words in (
            ["later"],
            ["later", "--start", "2032-01-01T06:00", "--every", "2 days"],
            ["month end", "--start", "2032-01-01T06:00"],
        )
    ]
    assert [one.start for one in found] == ["2031-05-04T21:00", "2032-01-01T06:00", "2032-01-01T06:00"]
    assert [one.time_base for one in found] == ["utc", "admin", "admin"]
    assert [one.interval for one in found] == ["", "days", ""]


def test_a_start_that_has_passed_is_refused_when_the_transfer_is_submitted(make_hub, run):
    """The configuration is accepted all the same: it may be older than the start."""
    make_hub(config({"name": "gone", **BODY, "scheduleTransfer": {"startTime": "2020-01-01T06:00"}}))
    result = run("submit", "--template", "gone")
    assert result.exit_code == 2
    assert "scheduleTransfer.startTime" in result.stderr
    assert run("submit", "--template", "gone", "--start", "2032-01-01T06:00").exit_code == 0


def test_named_transfers_are_listed(hub, run):
    """As a table, and as the configuration writes them."""
    assert run("templates").stdout.splitlines() == [
        "NAME       FROM  TO    ITEMS  JOB      START",
        "month end  QUAY  YARD  1      closing  -",
        "later      QUAY  YARD  1      closing  2031-05-04T21:00",
    ]
    assert json_of(run("templates", "--format", "json")) == TRANSFERS


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--template", "nothing"], "crossdock.yaml has no transfer 'nothing'"),
        (["--template", "month end", "--job", "other"], "--template is the whole request"),
        (["--template", "month end", *WORDS, "a", "b"], "--template is the whole request"),
        (["--template", "month end", "--file", "-"], "--file is the whole request"),
        (["a", "b"], "or --file or --template"),
    ],
)
def test_words_that_name_no_request_are_refused(hub, run, words, reason):
    """Exit code 2, and nothing is submitted."""
    result = run("submit", *words)
    assert (result.exit_code, reason in result.stderr) == (2, True), result.stderr
    assert hub.mft().json["transfer"] == []


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"name": ""}, "name: it must be a text that is not empty"),
        ({"name": "month end"}, "name: there is a transfer 'month end' already"),
        ({"sourceAgent": {"name": "NONE", "qmgrName": "QM1"}}, "sourceAgent.name: there is no agent NONE"),
        (
            {"destinationAgent": {"name": "YARD", "qmgrName": "QM1"}},
            "destinationAgent.qmgrName: the queue manager of the agent YARD is QM2",
        ),
        ({"transferSet": {"item": []}}, "transferSet.item: it must have 1 to 1000 elements."),
        ({"novelty": 1}, "novelty: "),
        ({"scheduleTransfer": {"startTime": "soon"}}, "scheduleTransfer.startTime: "),
    ],
)
def test_a_named_transfer_that_the_hub_would_refuse_is_a_problem_of_the_configuration(tmp_path, changes, problem):
    """The line has the path of the attribute."""
    document = copy.deepcopy(config(TRANSFERS[0], {**TRANSFERS[1], **changes}))
    del document["ibm_mq_mft"]["agents"]["WIRE"]
    with pytest.raises(ConfigError) as error:
        read_sections(document, Reader(tmp_path, {"BANK_PASSWORD": "x"}, data=tmp_path))
    (found,) = error.value.problems
    assert found.startswith(f"ibm_mq_mft.transfers[1].{problem}")


TEXTS = samples.TEMPLATE.replace(samples.QUEUE_ITEM, "")


@pytest.mark.parametrize(
    "documents",
    [
        (TEXTS, samples.SCHEDULES, samples.REQUEST),
        (TEXTS.replace("<sourceAgentQMgr>QMHARBOUR</sourceAgentQMgr>", ""),),
        (TEXTS, TEXTS.replace("QMINLAND", "QMOTHER")),
        (TEXTS, TEXTS.replace("SHED", "FILESTORE"), TEXTS.replace('"consignment"', '"crossdock.job"')),
        (samples.monitor(), samples.monitor(item=samples.TASK_ITEM.replace("${FilePath}", "x" * 5_000), name="w2")),
    ],
)
def test_what_an_import_prints_is_accepted_and_each_transfer_can_be_submitted(make_hub, run, tmp_path, documents):
    """Also where parts of the definitions are refused, or name no queue managers or several.

    One from a queue to a queue is accepted and ends at once: no agent of the hub can carry it out.
    """
    files = []
    for number, document in enumerate(documents):
        files.append(tmp_path / f"d{number}.xml")
        files[-1].write_text(document)
    printed = CliRunner().invoke(main, ["import", "ibm-mft", *map(str, files)])
    assert printed.exit_code in (0, 1), printed.output
    file = tmp_path / "crossdock.yaml"
    file.write_text(printed.stdout)
    checked = CliRunner().invoke(main, ["check", str(file)])
    assert (checked.exit_code, checked.stderr) == (0, ""), checked.output
    hub = make_hub({"ibm_mq_mft": {"coordination_qmgr": "QM1", **yaml.safe_load(printed.stdout)["ibm_mq_mft"]}})
    for one in json_of(run("templates", "--format", "json")):
        result = run("submit", "--template", one["name"])
        queues = all(item["source"].get("type") == "queue" for item in one["transferSet"]["item"])
        assert result.exit_code == int(queues), result.output
        state = whole(hub, result.stdout.strip())["status"]["state"]
        assert state == ("malformed" if queues else "started")
