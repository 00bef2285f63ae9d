"""transactionStatuses: items 59 to 66 and readings A38 to A43, also under load and with a clock that steps back."""

import threading

import pytest

from tests.servers.processes import wait_until


def _since(made, number):
    answer = made.call("transactionStatuses", ("since", str(number)))
    return int(answer.text("monitorTime")), [
        (one.findtext("transactionName"), one.findtext("jobHistory/sequence"), one.findtext("jobHistory/status"))
        for one in answer.root.iter("transactionStatus")
    ]


def test_the_answer_has_the_order_of_60_61_62(hub, transaction):
    """Golden shape: the clock, eight cells in their order, then each transaction by id."""
    made = hub(transaction("b", id=9), transaction("a", id=3, direction="inbound")).log_in()
    answer = made.call("transactionStatuses")
    one = ["monitorTime", "transactionId", "transactionName", "transactionType", "transactionState"]
    cells = ["transactionStatusSummary"] * 8
    outline = [
        "statusCode",
        "monitorTime",
        "dbUpdating",
        *cells,
        ("transactionStatus", one),
        ("transactionStatus", one),
    ]
    assert answer.outline() == outline
    places = [(cell.get("row"), cell.get("column"), cell.get("value")) for cell in answer.root.iter(cells[0])]
    assert places[:2] == [("0", "0", "1"), ("0", "1", "1")]
    assert [place[:2] for place in places] == [(str(row), str(column)) for row in range(4) for column in range(2)]
    first, second = answer.root.iter("transactionStatus")
    assert [first.findtext(tag) for tag in one[1:]] == ["0000000000000003", "a", "Inbound", "Not Scheduled"]
    assert second.findtext("transactionId") == "0000000000000009"
    assert first.findtext("monitorTime") == answer.text("monitorTime")


@pytest.mark.parametrize("since", ["x", "1.5", "1_000", "٣", "0x10", "--1", " 1"])
def test_since_that_is_no_integer_is_400_a39(hub, transaction, since):
    """A `since` that is no integer is 400."""
    assert hub(transaction("a")).log_in().call("transactionStatuses", ("since", since)).status == 400


@pytest.mark.parametrize(("since", "count"), [("0", 2), ("-5", 2), ("", 2), ("9" * 5000, 0), ("-" + "9" * 5000, 2)])
def test_since_of_any_size_a39_65(hub, transaction, since, count):
    """0 and less mean all, the future means none, and the cells count all in any case."""
    made = hub(transaction("a"), transaction("b", direction="inbound")).log_in()
    answer = made.call("transactionStatuses", ("since", since))
    assert len(answer.root.findall("transactionStatus")) == count
    assert sum(int(cell.get("value")) for cell in answer.root.iter("transactionStatusSummary")) == 2


def test_since_scheduled_time_never_misses_38_a38_a33(hub, transaction):
    """`since=scheduledTime` shows the queued job at once, and the last monitorTime shows each change once."""
    made = hub(transaction("a"), transaction("b")).log_in()
    (made.data / "from" / "f").write_bytes(b"x")
    scheduled = made.run("a")
    monitor, seen = _since(made, scheduled)
    assert seen == [("a", "0000000000000001", "Queued")]
    assert monitor > scheduled
    assert _since(made, monitor)[1] == []
    with made.work():
        made.finished("a")
    assert _since(made, monitor)[1] == [("a", "0000000000000001", "Complete")]


def test_the_cells_count_last_ends_a41(hub, transaction):
    """Each last end is counted in its row and column."""
    made = hub(
        transaction("good", direction="inbound"),
        transaction("bad", source={"url": "file:nowhere"}),
        transaction("some", source={"required": ["zzz"]}),
        transaction("never"),
    ).log_in()
    (made.data / "from" / "f").write_bytes(b"x")
    with made.work():
        for name in ("good", "bad", "some"):
            made.run(name)
        for name in ("good", "bad", "some"):
            made.finished(name)
    root = made.call("transactionStatuses").root
    cells = {(cell.get("row"), cell.get("column")): cell.get("value") for cell in root.iter("transactionStatusSummary")}
    assert {place: value for place, value in cells.items() if value != "0"} == {
        ("0", "0"): "1",
        ("0", "1"): "1",
        ("1", "1"): "1",
        ("2", "1"): "1",
    }


def test_a_job_in_progress_has_no_end_a43(hub, transaction):
    """While a job runs there is no endTime and no completionStatus, and a file appears when it begins."""
    made = hub(transaction("a", bandwidth="1000B/s"), diplomat={"jobs": {"stop_grace": "0s"}}).log_in()
    (made.data / "from" / "f").write_bytes(b"x" * 10_000)
    with made.work():
        made.run("a")
        wait_until(lambda: made.status("a").find("jobHistory/fileHistory") is not None, what="the file")
        job = made.status("a").find("jobHistory")
        assert job.findtext("status") == "Running"
        for path in ("endTime", "completionStatus", "fileHistory/endTime", "fileHistory/completionStatus"):
            assert job.find(path) is None
        wait_until(lambda: made.status("a").findtext("jobHistory/completion") != "0.0", what="bytes")
        job = made.status("a").find("jobHistory")
        assert 0 < float(job.findtext("completion")) < 1


def test_no_change_is_lost_or_reported_twice_under_load_a38(hub, transaction):
    """Pollers that follow their last monitorTime see the end of every job, and no state of any job twice."""
    names = [f"t{number}" for number in range(40)]
    made = hub(*(transaction(name) for name in names)).log_in()
    (made.data / "from" / "f").write_bytes(b"x")
    done = threading.Event()
    seen = [[] for _ in range(4)]

    def poll(mine):
        at = 0
        while True:
            last = done.is_set()
            at, changes = _since(made, at)
            mine.extend(changes)
            if last:
                return

    with made.work():
        pollers = [threading.Thread(target=poll, args=(mine,)) for mine in seen]
        for poller in pollers:
            poller.start()
        for name in names:
            made.run(name)
        for name in names:
            made.finished(name, 60)
        done.set()
        for poller in pollers:
            poller.join()
    for mine in seen:
        assert len([one for one in mine if one[1] is not None]) == len({one for one in mine if one[1] is not None})
        assert {one[0] for one in mine if one[2] == "Complete"} == set(names)


def test_the_clock_only_moves_forward_a38(hub, transaction):
    """When the wall clock steps back an hour, numbers go on growing, and no change hides behind an answered time."""
    wall = [1_800_000_000_000]
    made = hub(transaction("a"))
    operations = made.service.operations
    object.__setattr__(operations, "clock", lambda: wall[0])
    made.log_in()
    first = made.run("a")
    wall[0] += 1000
    monitor, _ = _since(made, 0)
    assert monitor == wall[0]
    wall[0] -= 3_600_000
    assert made.run("a") > monitor > first
    assert _since(made, monitor)[1] == [("a", "0000000000000002", "Queued")]


def test_definitions_keep_their_ids_and_changes_show_a40(hub, transaction, tmp_path):
    """Ids are kept over applies; a renamed transaction shows after `since`; a removed one is gone and not reused."""
    first = hub(transaction("a"), transaction("b"), data=tmp_path).log_in()
    monitor, seen = _since(first, 0)
    assert [one[0] for one in seen] == ["a", "b"]
    second = hub(transaction("c"), transaction("renamed", id=2), data=tmp_path).log_in()
    root = second.call("transactionStatuses", ("since", str(monitor))).root
    ids = {
        one.findtext("transactionName"): int(one.findtext("transactionId")) for one in root.iter("transactionStatus")
    }
    assert ids == {"c": 3, "renamed": 2}
    assert second.call("runNow", ("transactionName", "a")).status == 400
