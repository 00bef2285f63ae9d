"""`crossdock transfer list|show` over a hub's record."""

import pytest
from click.testing import CliRunner

from crossdock.command import main
from mft_common.clock import iso
from mft_common.events import Agent, Side, Totals
from tests.service.crossdock.transfers.transfer_hub import json_of, on_both_databases, whole
from tests.service.mqmft_svc.mqmft_hub import BASE, envelope, file_item, started


def numbers(result):
    """Return the numbers of the transfers in a list."""
    return [int(one["id"][32:], 16) for one in json_of(result)]


def test_transfers_are_listed_the_newest_first(hub, run):
    """A table for people, and for programs the documents of the REST API without their items."""
    ids = [hub.upload(number) for number in (1, 2, 3)]
    head, *rows = run("list").stdout.splitlines()
    assert head.split() == ["ID", "STATE", "FROM", "TO", "FILES", "BYTES", "STARTED", "ENDED"]
    assert [row.split()[0] for row in rows] == [id_[-16:] for id_ in reversed(ids)]
    started_at = iso(BASE + 3000)[:19] + "Z"
    assert rows[0].split()[1:] == ["successful", "CLIENT", "FILESTORE", "1/1", "12", started_at, started_at]
    expected = [whole(hub, id_) for id_ in reversed(ids)]
    for one in expected:
        del one["transferSet"]["item"]
    assert json_of(run("list", "--format", "json")) == expected


@on_both_databases
def test_pages_of_a_list(hub, run):
    """`--limit` transfers at a time; the next page follows the last one of this page, in any case of its id."""
    ids = [hub.upload(number) for number in (1, 2, 3, 4, 5)]
    assert numbers(run("list", "--limit", "2", "--format", "json")) == [5, 4]
    assert numbers(run("list", "--limit", "2", "--after", ids[3].lower(), "--format", "json")) == [3, 2]
    assert numbers(run("list", "--limit", "2", "--after", ids[1][-16:], "--format", "json")) == [1]


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ([], [5, 4, 3, 2, 1]),
        (["--state", "failed"], [2]),
        (["--state", "failed", "--state", "started"], [4, 2]),
        (["--agent", "quay"], [4, 3]),
        (["--agent", "QUAY", "--agent", "FILESTORE"], [5, 4, 3, 2, 1]),
        (["--protocol", "diplomat"], [5]),
        (["--job", "nightly"], [1]),
        (["--since", iso(BASE + 3000)], [5, 4, 3]),
        (["--until", iso(BASE + 3000)], [2, 1]),
        (["--since", iso(BASE + 2000).removesuffix("Z"), "--until", iso(BASE + 4000)], [3, 2]),
        (["--agent", "QUAY", "--until", iso(BASE + 4000), "--state", "successful"], [3]),
        (["--since", "10m"], []),
        (["--until", "10m", "--limit", "1"], [5]),
        (["--since", "2026-05-28"], [5, 4, 3, 2, 1]),
        (["--until", "2026-05-28T22:26:43+02:00"], [2, 1]),
    ],
)
def test_filters_of_a_list(hub, run, arguments, found):
    """States, agents of either side, protocols, the job's name, and times of the start."""
    hub.upload(1, job_name="nightly")
    hub.upload(2, state="failed", totals=Totals(files=1, failures=1))
    hub.upload(3, destination_agent=Agent(name="QUAY", qmgr="QM1"))
    hub.tell(envelope(started(4, source_agent=Agent(name="QUAY", qmgr="QM1")), 104))
    hub.upload(5, protocol="diplomat")
    assert numbers(run("list", *arguments, "--format", "json")) == found


@on_both_databases
def test_a_transfer_is_shown_by_its_id_or_an_end_of_it(hub, run):
    """In either case; the document is that of the REST API."""
    side = Side(type="file", path="a\x1b[2J.txt", size=12, md5="ab" * 16)
    item = file_item(state="failed", description="BFGTR0072E: no\nroom", source=side)
    id_ = hub.upload(
        0xABCDEF, at=BASE, items=(item,), state="failed", totals=Totals(files=1, failures=1), job_name="nightly",
        user_properties={"order": "47\x1b[2J11"},
    )  # fmt: skip
    hub.upload(2, at=BASE)
    for name in (id_, id_.lower(), "abcdef", "00ABCDEF"):
        assert json_of(run("show", name, "--format", "json")) == whole(hub, id_)
    lines = run("show", id_).stdout.splitlines()
    fields = dict(line.split(maxsplit=1) for line in lines[: lines.index("")])
    assert (fields["id"], fields["state"], fields["job_name"]) == (id_, "failed", "nightly")
    assert (fields["description"][:10], fields["failures"], fields["bytes_sent"]) == ("BFGRP0034I", "1", "0")
    assert fields["started_at"] == iso(BASE)[:19] + "Z"
    assert fields["property"].split() == ["order", "47\\x1b[2J11"]
    head, row = lines[lines.index("") + 1 :]
    assert head.split() == ["SOURCE", "DESTINATION", "STATE", "SIZE", "MD5", "REASON"]
    assert row.split(maxsplit=5) == [
        "a\\x1b[2J.txt", "/in/crate.bin", "failed", "12", "ab" * 16, "BFGTR0072E: no\\nroom",
    ]  # fmt: skip


@pytest.mark.parametrize("command", ["show", "watch", "cancel"])
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("0" * 48, "No transfer has the id"),
        ("123456", "No transfer has the id"),
        ("%00\x00", "No transfer has the id"),
        ("______", "No transfer has the id"),
        ("00001", "at least 6 digits"),
        ("ABCDEF", "several transfers have ids that end with ABCDEF"),
    ],
)
def test_a_name_that_is_no_transfers_or_of_several_is_refused(hub, run, command, name, message):
    """Exit code 2, and one line says why."""
    hub.upload(0x1ABCDEF, at=BASE)
    hub.upload(0x2ABCDEF, at=BASE)
    hub.upload(1)
    result = run(command, name)
    assert (result.exit_code, message in result.stderr, result.stdout) == (2, True, ""), result.output


def test_a_folder_without_a_hub_is_exit_code_2(tmp_path):
    """The command makes no database."""
    result = CliRunner().invoke(main, ["transfer", "list", "--data", str(tmp_path / "none")])
    assert (result.exit_code, "there is no hub's data" in result.stderr) == (2, True)
    assert not (tmp_path / "none").exists()
