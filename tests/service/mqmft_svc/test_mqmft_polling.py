"""Monitors look at the folders of agents, and begin transfers, over both kinds of database (4.H)."""

import itertools
import json
import os
import time

import pytest

from mqmft_svc.operations.monitoring.place import Place
from mqmft_svc.schemas.monitor_bodies import monitor_of
from mqmft_svc.store import agents
from mqmft_svc.store import monitors as store
from tests.servers.monitor_bodies import body, config
from tests.servers.monitored import create, sources, transfers
from tests.service.mqmft_svc.mqmft_hub import caller


@pytest.fixture
def make(tmp_path, open_hub, runner):
    """Return a function that builds the service as another worker does, over one database."""

    def make(given=None, **environ):
        for name in ("quay/in", "yard"):
            (tmp_path / name).mkdir(parents=True, exist_ok=True)
        return open_hub(given or config(), runner=runner, **environ)

    return make


@pytest.fixture
def hub(make):
    return make()


@pytest.fixture
def polls(open_polls, hub):
    return open_polls(hub)


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a file of the folder that the monitors look at."""

    def write(path, content=b"x", *, modified=None):
        target = tmp_path / "quay/in" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        if modified is not None:
            os.utime(target, (modified, modified))
        return target

    return write


def test_187_match_all_begins_a_transfer_for_each_file_that_matches(hub, polls, write):
    """Items 187, 237: those that are there and those that come, each once; the transfer is the creator's."""
    write("a.csv")
    write("b.txt")
    create(hub, body(triggerCondition={"type": "matchAll", "includePattern": "*.csv"}), identity=caller("me"))
    polls.poll()
    assert sources(hub) == [["in/a.csv"]]
    polls.poll(times=3)
    assert sources(hub) == [["in/a.csv"]]
    write("c.csv")
    polls.poll(times=4)
    assert sources(hub) == [["in/a.csv"], ["in/c.csv"]]
    (first, _) = transfers(hub)
    assert (first["originator"]["userId"], first["job"]["name"], first["status"]["state"]) == ("me", "WATCH", "started")
    assert first["sourceAgent"]["name"] == "QUAY"
    assert first["transferSet"]["item"][0]["destination"]["file"]["path"] == "got/a.csv"


def test_187_match_none_begins_one_transfer_once_no_file_matches(hub, polls, write):
    """Item 187: again after a file that matched has gone, in whichever worker."""
    definition = {"transferDefinition__transferSet__item__0__source__name": "done/all"}
    definition["transferDefinition__transferSet__item__0__destination__name"] = "all"
    create(hub, body(triggerCondition={"type": "matchNone", "includePattern": "*.lock"}, **definition))
    write("x.txt")
    polls.poll(times=3)
    assert sources(hub) == [["done/all"]]
    lock = write("x.lock")
    polls.poll(times=4)
    lock.unlink()
    polls.poll(times=4)
    assert sources(hub) == [["done/all"]] * 2


def test_187_no_change_in_size_waits_for_as_many_polls(hub, polls, write):
    """Items 187, 239: a file that grows is not taken; it is once it has kept its size for two polls, and only once."""
    condition = {"type": "noChangeInSize", "noFileSizeChangePollCount": 2, "includePattern": "*"}
    create(hub, body(triggerCondition=condition))
    polls.poll()
    for size in (1, 2, 3, 4):
        write("big", b"x" * size, modified=1000)
        polls.poll()
        assert sources(hub) == []
    polls.poll()
    assert sources(hub) == []
    polls.poll()
    assert sources(hub) == [["in/big"]]
    polls.poll(times=3)
    assert sources(hub) == [["in/big"]]


def test_187_a_file_is_taken_when_it_has_a_size(hub, polls, write):
    """Item 187: `sizeGreaterOrEqualTo` counts in its unit."""
    create(hub, body(triggerCondition={"type": "sizeGreaterOrEqualTo", "fileSize": 2, "fileSizeUnit": "KB"}))
    write("small", b"x" * 2047)
    write("large", b"x" * 2048)
    polls.poll()
    assert sources(hub) == [["in/large"]]
    write("small", b"x" * 2048)
    polls.poll(times=4)
    assert sources(hub) == [["in/large"], ["in/small"]]


@pytest.mark.parametrize(
    ("condition", "taken"),
    [
        ({"includePattern": "report-?.txt"}, ["report-1.txt", "report-2.txt"]),
        ({"includePattern": "*", "excludePattern": "*.tmp"}, ["REPORT-9.TXT", "report-1.txt", "report-2.txt"]),
        (
            {"includePattern": r"report-\d\.(txt|tmp)", "matchPattern": "regex"},
            ["report-1.txt", "report-2.txt", "report-3.tmp"],
        ),
        ({"excludePattern": r".*[a-z]", "matchPattern": "regex"}, ["REPORT-9.TXT"]),
        ({"includePattern": ".h*"}, [".hidden"]),
        ({"includePattern": "*.part"}, ["up.part"]),
    ],
)  # fmt: skip
def test_187_names_match_by_wildcards_or_expressions(hub, polls, write, condition, taken):
    """Items 186, 239: whole names; neither hidden files nor unfinished ones match a pattern that is not theirs."""
    names = ["report-1.txt", "report-2.txt", "report-3.tmp", "REPORT-9.TXT", ".hidden", "up.part", "up.filepart"]
    for name in (*names, ".report-4.txt.0123456789ABCDEF.part"):
        write(name)
    create(hub, body(general__matchesPerTask=100, triggerCondition={"type": "matchAll", **condition}))
    polls.poll()
    assert sorted(path for paths in sources(hub) for path in paths) == sorted(f"in/{name}" for name in taken)


def test_186_folders_below_belong_to_a_monitor_up_to_its_level(hub, polls, write):
    """Item 186: `recursionLevel`; the path tells the folder."""
    for path in ("1", "a/2", "a/b/3"):
        write(path)
    create(hub, body(resource__recursionLevel=1))
    create(hub, body("DEEP", resource__recursionLevel=2, general__matchesPerTask=9))
    polls.poll()
    assert sorted(sources(hub)) == [["in/1"], ["in/1", "in/a/2", "in/a/b/3"], ["in/a/2"]]


@pytest.mark.parametrize("matches", [1, 4, 100])
def test_238_so_many_matches_make_one_transfer(hub, polls, write, matches):
    """Item 238: an item with a variable of the file comes once for each, any other one once."""
    for number in range(10):
        write(f"f{number}")
    given = body(general__matchesPerTask=matches)
    given["transferDefinition"]["transferSet"]["item"].append(
        {"source": {"name": "fixed"}, "destination": {"name": "fixed-${AgentName}"}}
    )
    create(hub, given)
    polls.poll(times=2)
    found = sources(hub)
    assert sorted(len(paths) - 1 for paths in found) == {1: [1] * 10, 4: [2, 4, 4], 100: [10]}[matches]
    assert all(paths.count("fixed") == 1 for paths in found)
    assert sorted(path for paths in found for path in paths if path != "fixed") == [f"in/f{n}" for n in range(10)]


def test_188_a_definition_without_a_variable_runs_once_for_a_batch(hub, polls, write):
    """Item 188: whatever the number of its matches."""
    item = {"source": {"name": "in", "type": "directory"}, "destination": {"name": "all", "type": "directory"}}
    create(hub, body(general__matchesPerTask=5, transferDefinition__transferSet={"item": [item]}))
    for number in range(10):
        write(f"f{number}")
    polls.poll(times=2)
    assert len(transfers(hub)) == 2


def test_188_variables_are_replaced_in_all_texts(hub, polls, write):
    """Item 188: pieces by token and separator, own variables, properties and the job's name among them."""
    write("2031_rates_eu.csv", b"12345", modified=1_900_000_000)
    given = body(
        defaultVariables={"Where": "final"},
        transferDefinition__job={"name": "rates ${FileName{token=1}{separator=_}}"},
        transferDefinition__transferSet={
            "item": [
                {
                    "source": {"name": "${FILEPATH}"},
                    "destination": {
                        "name": "${where}/${FileName{separator=.}{token=-1}}/${fileName{token=2}{separator=_}}"
                    },
                }
            ],
            "userProperties": {"size": "${FileSize}", "at": "${LastModifiedTime}", "by": "${AgentName}", "no": "$x{y}"},
        },
    )  # fmt: skip
    create(hub, given)
    polls.poll()
    (found,) = transfers(hub)
    assert found["job"]["name"] == "rates 2031"
    assert found["userProperties"] == {"size": "5", "at": "2030-03-17T17:46:40.000Z", "by": "QUAY", "no": "$x{y}"}
    assert found["transferSet"]["item"][0]["destination"]["file"]["path"] == "final/csv/rates"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"transferDefinition__job": {"name": "${Unknown}"}}, ["${Unknown}"]),
        ({"transferDefinition__job": {"name": "${QueueName}"}}, ["${QueueName}"]),
        (
            {"transferDefinition__job": {"name": "${FileName{token=3}{separator=_}}"}},
            ["${FileName{token=3}{separator=_}}", "2"],
        ),
        ({"transferDefinition__job": {"name": "${FileName{token=0}{separator=_}}"}}, ["token=0"]),
        ({"transferDefinition__job": {"name": "${FileName{token=1}}"}}, ["${FileName{token=1}}"]),
        ({"transferDefinition__job": {"name": "${FileName}" * 40}}, ["${filename}", "'job.name'"]),
        ({"transferDefinition__destinationAgent__name": "${FileName}"}, ["A_B"]),
    ],
)
def test_238_a_definition_that_yields_no_request_is_malformed_and_names_its_variable(hub, polls, write, changes, words):
    """Items 215, 238: one transfer that has ended, which says what is wrong; the file is not tried again."""
    create(hub, body(**changes))
    write(f"a_{'b' * 20}")
    polls.poll(times=4)
    (found,) = transfers(hub)
    assert found["status"]["state"] == "malformed"
    for word in words:
        assert word in found["status"]["description"]
    assert found["statistics"]["endTime"]


@pytest.mark.parametrize(
    ("job", "shown"),
    [("nightly", "nightly"), ("of ${AgentName}", "of QUAY"), ("${Unknown}", "WATCH"), ("${FileName}" * 40, "WATCH")],
)
def test_238_a_malformed_transfer_has_the_job_name_of_the_definition(hub, polls, write, job, shown):
    """Item 238: the name of the monitor where that name cannot be made."""
    create(hub, body("WATCH", transferDefinition__job={"name": job}))
    write("*" * 20)
    polls.poll(times=4)
    assert {one["job"]["name"] for one in transfers(hub) if one["status"]["state"] == "malformed"} == {shown}


def test_238_a_name_with_a_wildcard_begins_no_transfer_of_other_files(hub, polls, write):
    """A file can be called `*`: as the source of a transfer that would be all files."""
    write("*")
    create(hub, body())
    polls.poll()
    (found,) = transfers(hub)
    assert found["status"]["state"] == "malformed"
    assert "${FilePath}" in found["status"]["description"]


def test_54_a_name_that_is_not_utf_8_is_transferred_by_its_bytes(hub, polls, tmp_path):
    """Items 54, 188: the file is found by its bytes; texts beside the items have escapes where a byte is no text."""
    (tmp_path / "quay/in").joinpath(os.fsdecode(b"caf\xe9.csv")).write_bytes(b"x")
    (tmp_path / "quay/in/line\nbreak").write_bytes(b"x")
    create(hub, body(transferDefinition__job={"name": "got ${FileName}"}))
    polls.poll(times=2)
    found = {one["job"]["name"]: one for one in transfers(hub)}
    assert sorted(found) == ["got caf\\xe9.csv", "got line\ufffdbreak"]
    assert {one["status"]["state"] for one in found.values()} == {"started"}
    with hub.service.database.read() as connection:
        submissions = connection.exec_driver_sql("SELECT submission FROM managed").scalars().all()
    names = {json.loads(one)["items"][0]["source"]["name"] for one in submissions}
    assert {os.fsencode(name) for name in names} == {b"in/caf\xe9.csv", b"in/line\nbreak"}


def test_215_the_agents_of_a_monitor_serve_its_creator_or_not(make, write, open_polls):
    """Items 15, 215: the `allow` list of an agent holds for the account that created the monitor."""
    given = config()
    given["ibm_mq_mft"]["agents"]["YARD"]["allow"] = ["treasury"]
    hub = make(given)
    polls = open_polls(hub)
    create(hub, body("ONE"), identity=caller("clerk"))
    create(hub, body("TWO"), identity=caller("treasury"))
    write("x")
    polls.poll(times=2)
    found = {one["job"]["name"]: one["status"]["state"] for one in transfers(hub)}
    assert found == {"ONE": "notAuthorized", "TWO": "started"}


def test_237_a_file_that_changed_triggers_again(hub, polls, write):
    """Item 237: in place as well, of which its folder has no mark; one that was read only does not."""
    write("x", b"1", modified=1000)
    create(hub, body())
    polls.poll()
    polls.poll(times=5)
    assert len(transfers(hub)) == 1
    write("x", b"2", modified=2000)
    polls.poll(times=5)
    assert len(transfers(hub)) == 2
    write("x", b"22", modified=2000).read_bytes()
    polls.poll(times=5)
    assert len(transfers(hub)) == 3


def test_189_a_history_that_is_deleted_triggers_again(hub, polls, write):
    """Item 189: every file that is there, once; nothing of a monitor that was deleted."""
    write("x")
    create(hub, body())
    polls.poll(times=3)
    token = {"ibm-mq-rest-csrf-token": ""}
    assert hub.ask("/ibmmq/rest/v3/admin/mft/monitor/watch/history", "DELETE", headers=token).status_code == 204
    polls.poll(times=5)
    assert sources(hub) == [["in/x"]] * 2
    assert hub.ask("/ibmmq/rest/v3/admin/mft/monitor/watch", "DELETE", headers=token).status_code == 204
    write("y")
    polls.poll(times=5)
    assert sources(hub) == [["in/x"]] * 2
    with hub.service.database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM watch_handled").scalar() == 0


def test_237_another_worker_goes_on_without_triggering_twice(make, write, open_polls):
    """Item 237: of two workers one polls; after it the other one knows what was seen."""
    hub = make()
    first, second = open_polls(hub), open_polls(make())
    create(hub, body())
    for number in range(3):
        write(f"f{number}")
    for _ in range(3):
        first.poll()
        second.poll()
    assert len(transfers(hub)) == 3
    assert second.watcher._scans == {}
    first.close()
    write("f3")
    second.poll(times=4)
    assert sorted(sources(hub)) == [[f"in/f{number}"] for number in range(4)]


def test_237_a_monitor_is_never_polled_more_often_than_once_a_second(hub, polls, write):
    """Item 237: nor more often than its interval, whatever happens in its folder."""
    create(hub, body(general__pollInterval=3))
    polls.poll()
    (scan,) = polls.watcher._scans.values()
    looked, look = [], scan.scan
    scan.scan = lambda: looked.append(polls.at) or look()
    for number in range(60):
        write(f"f{number}")
        polls.poll(0.25)
    assert len(looked) > 3
    assert min(after - before for before, after in itertools.pairwise(looked)) >= 3.0


def test_220_files_wait_while_their_agent_takes_no_more_transfers(make, write, open_polls):
    """A match is not lost because as many transfers wait as the agent takes: it triggers later."""
    given = config()
    given["ibm_mq_mft"]["agents"]["QUAY"]["maximum_queued_transfers"] = 2
    hub = make(given)
    polls = open_polls(hub)
    create(hub, body())
    for number in range(5):
        write(f"f{number}")
    polls.poll(times=6)
    assert len(transfers(hub)) == 2
    with hub.service.database.write() as connection:
        connection.exec_driver_sql("UPDATE managed SET status = 'over'")
    polls.poll(times=6)
    found = transfers(hub)
    assert (len(found), {one["status"]["state"] for one in found}) == (4, {"started"})


def test_185_the_monitors_of_an_agent_that_is_stopped_look_at_nothing(hub, polls, write):
    """Items 184, 185: nothing is lost by it; what came meanwhile triggers once the agent is started."""
    create(hub, body())
    polls.poll()
    for stop in (lambda connection: agents.stop(connection, "QUAY", 1), lambda one: agents.start(one, "QUAY")):
        with hub.service.database.write() as connection:
            assert stop(connection)
        (state,) = (one["state"] for one in hub.ask("/ibmmq/rest/v3/admin/mft/monitor").json["monitor"])
        write(f"while-{state}")
        polls.poll(times=4)
        assert len(transfers(hub)) == {"stopped": 0, "started": 2}[state]


@pytest.mark.parametrize("pattern", ["(a+)+b", "(a|a)*b", r"(\w+\s?)*x"])
def test_186_a_hostile_expression_holds_up_nobody(hub, polls, write, pattern, log):
    """Item 186: it costs its own child a few seconds, its monitor waits longer and longer, and others go on."""
    write("a" * 60)
    condition = {"type": "matchAll", "includePattern": pattern, "matchPattern": "regex"}
    create(hub, body("HOSTILE", triggerCondition=condition))
    create(hub, body("GOOD"))
    polls.at += 1
    polls.watcher.step()
    used = time.process_time()
    polls.finish()
    assert time.process_time() - used < 1
    assert [one["job"]["name"] for one in transfers(hub)] == ["GOOD"]
    assert "a pattern takes too much time" in log.getvalue()
    assert polls.watcher._scans[Place.of(_only(hub, "HOSTILE")).to_text()].due >= polls.at + 5


def _only(hub, name):
    with hub.service.database.read() as connection:
        (found,) = store.fetch(connection, monitor_of, name)
    return found
