"""`crossdock schedule list|delete`, and `transfer submit` of a transfer that is to run later."""

import json

import pytest
from click.testing import CliRunner

from crossdock.command import main
from mft_common.clock import parse_iso
from tests.service.crossdock.transfers.transfer_hub import CONFIG, WORDS, json_of, managed, on_both_databases, whole

LATER = ("--start", "2096-01-31T06:00")


@pytest.fixture
def schedule(tmp_path, database):
    """Run the command about schedules on the hub's data folder."""

    def call(*arguments):
        words = ["schedule", *arguments, "--data", str(tmp_path)]
        return CliRunner().invoke(main, words, env=database, catch_exceptions=False)

    return call


@on_both_databases
def test_235_a_transfer_is_submitted_for_later_listed_and_removed(hub, submitted, schedule):
    """Items 174 to 176, 235: the id names the schedule, and its transfer is `deleted` with it."""
    id_ = submitted(*LATER, "--every", "2 months", "--count", "5", "--end", "2097-01-01T00:00", "--job", "nightly")
    once = submitted("--start", "2095-01-01T00:00", "--time-base", "utc")
    assert whole(hub, id_)["status"]["description"] == "Scheduled for 2096-01-31 06:00 UTC."
    first, second = json_of(schedule("list", "--format", "json"))
    assert first["scheduleTransfer"] == {"startTime": "2095-01-01T00:00", "timeBase": "utc"}
    assert second | {"made": ""} == {
        "id": id_, "next": "2096-01-31T06:00:00.000Z", "zone": "UTC", "runs": 0, "latest": "", "made": "",
        "account": "system", "sourceAgent": "QUAY", "destinationAgent": "YARD", "job": "nightly",
        "scheduleTransfer": {
            "startTime": "2096-01-31T06:00", "timeBase": "admin", "occurrenceInterval": "months",
            "occurrenceFrequency": 2, "occurrenceCount": 5, "endTime": "2097-01-01T00:00",
        },
    }  # fmt: skip
    head, *lines = schedule("list").stdout.splitlines()
    assert head.split()[:3] == ["ID", "NEXT", "REPEATS"]
    assert "once" in lines[0]
    assert "2 months, 5 times, until 2097-01-01T00:00" in lines[1]
    assert id_[-16:] in lines[1]
    deleted = schedule("delete", id_[-10:].lower(), once)
    assert (deleted.exit_code, deleted.output) == (0, "")
    assert json_of(schedule("list", "--format", "json")) == []
    for one in (id_, once):
        assert whole(hub, one)["status"]["state"] == "deleted"


def test_235_the_list_shows_what_has_run(hub, submitted, schedule):
    """Item 235: how many, the last one, and the next time; a schedule whose record is old can be removed too."""
    id_ = submitted(*LATER, "--every", "day")
    timers = hub.service.operations.scheduling.timers()
    for day in ("2096-01-31", "2096-02-01"):
        timers.now = lambda day=day: parse_iso(f"{day}T06:00Z")
        assert timers.step() == 1
    (found,) = json_of(schedule("list", "--format", "json"))
    assert (found["runs"], found["next"]) == (2, "2096-02-02T06:00:00.000Z")
    assert managed(hub, found["latest"]).status == "queued"
    assert found["latest"] != id_
    assert schedule("delete", id_).exit_code == 0
    assert managed(hub, id_).status == managed(hub, found["latest"]).status == "queued"


def test_a_schedule_that_is_not_there_is_refused(hub, submitted, schedule, run):
    """Exit code 2, and the other schedules stay; a transfer that runs at once has none."""
    del hub
    now, later = submitted(), submitted(*LATER)
    for wrong in (now, later[-5:], "F" * 48, "%"):
        result = schedule("delete", wrong)
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr.startswith(f"crossdock: no schedule has the id {wrong}")
    both = schedule("delete", "F" * 48, later)
    assert both.exit_code == 2
    assert [one["id"] for one in json_of(schedule("list", "--format", "json"))] == [later]
    assert run("cancel", later).exit_code == 0
    assert json_of(schedule("list", "--format", "json")) == []


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--start", "2001-01-01T00:00"], "2001-01-01T00:00 has passed in UTC."),
        (["--start", "soon"], "'scheduleTransfer.startTime'"),
        (["--every", "day"], "'scheduleTransfer.startTime'"),
        ([*LATER, "--count", "2"], "'scheduleTransfer.occurrenceCount'"),
        ([*LATER, "--every", "0 days"], "'scheduleTransfer.occurrenceFrequency'"),
        ([*LATER, "--every", "2 fortnights"], "'2 fortnights' is not of the form '2 days'"),
        ([*LATER, "--every", "days", "--end", "2095-01-01T00:00"], "it is before the start."),
        ([*LATER, "--file", "-"], "--file is the whole request"),
    ],
)
def test_174_a_schedule_that_cannot_be_is_refused_as_by_the_api(hub, run, words, reason):
    """Items 174 and 176: exit code 2, with the path of the attribute, and nothing is recorded."""
    given = [] if "--file" in words else [*WORDS, "a", "b"]
    result = run("submit", *given, *words, given="{}")
    assert (result.exit_code, result.stdout) == (2, "")
    assert reason in result.stderr
    assert hub.mft().json["transfer"] == []


def test_175_the_zone_is_that_of_the_configuration(make_hub, run, schedule):
    """Item 175: the hub's own zone, and that of the source agent."""
    section = CONFIG["ibm_mq_mft"]
    agents = {**section["agents"], "QUAY": {**section["agents"]["QUAY"], "timezone": "America/New_York"}}
    make_hub({**CONFIG, "ibm_mq_mft": {**section, "timezone": "Asia/Tokyo", "agents": agents}})
    for base in ("admin", "source", "utc"):
        assert run("submit", *WORDS, "a", "b", *LATER, "--time-base", base).exit_code == 0
    times = {one["zone"]: one["next"] for one in json.loads(schedule("list", "--format", "json").stdout)}
    assert times == {
        "Asia/Tokyo": "2096-01-30T21:00:00.000Z",
        "UTC": "2096-01-31T06:00:00.000Z",
        "America/New_York": "2096-01-31T11:00:00.000Z",
    }
