import dataclasses
import json
import random

import pytest

from mft_common.errors import Unavailable
from mft_common.events import Agent, Item, Side, Totals
from mqmft_svc.operations import Operations
from tests.service.mqmft_svc.mqmft_hub import BASE, ended, envelope, file_item, progressed, started, transfer_id

TOTAL = "ibm-mq-rest-mft-total-transfers"
DEFAULT = {"id", "sourceAgent", "destinationAgent", "originator", "statistics", "status"}


def msg(answer):
    """Return the id of an error, without its prefix."""
    return answer.json["error"][0]["msgId"].removeprefix("MQWB")


def ids(answer):
    """Return the numbers of the transfers in a list."""
    return [int(one["id"][32:], 16) for one in answer.json["transfer"]]


@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
def test_1_2_4_60_list_and_one_hold_the_default_set_in_all_versions(hub, version):
    """Items 1, 2, 4 and 60: an array, also of one, with exactly the default attributes."""
    made = hub.upload(1)
    for path in ("", f"/{made}"):
        (one,) = hub.mft(path, version).json["transfer"]
        assert set(one) == DEFAULT
        assert one["sourceAgent"] == {"name": "CLIENT"}
        assert one["originator"] == {"host": "10.1.2.3", "userId": "part1"}
        assert one["status"] == {"state": "successful"}
        assert one["statistics"] == {
            "startTime": "2026-05-28T20:26:41.000Z",
            "endTime": "2026-05-28T20:26:41.005Z",
            "numberOfFiles": 1,
            "numberOfFileSuccesses": 1,
            "numberOfFileFailures": 0,
            "numberOfFileWarnings": 0,
        }


def test_3_a_trailing_slash_changes_nothing(hub):
    """Item 3: list, one and login with a slash at the end, without a redirect."""
    made = hub.upload(1)
    assert hub.mft("/").json == hub.mft().json
    assert hub.mft(f"/{made}/").json == hub.mft(f"/{made}").json
    assert hub.ask("/ibmmq/rest/v3/login/").status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/v4/admin/mft/transfer", "/v3/admin/mft/transfers", "/v3", "/v3/admin", "/v1/admin/mft/call", "//v3/login"],
)
def test_5_any_other_path_is_404(hub, path):
    """Item 5: unknown paths and versions have the vendor's own 404."""
    answer = hub.ask(f"/ibmmq/rest{path}")
    assert (answer.status_code, msg(answer)) == (404, "0116E")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "OPTIONS", "BREW"])
def test_6_a_wrong_method_is_405_with_allow(hub, method):
    """Item 6: the path exists, the method does not."""
    answer = hub.mft(method=method)
    assert (answer.status_code, msg(answer)) == (405, "0974E")
    assert answer.headers["Allow"] == "GET, HEAD, POST"


def test_8_10_49_55_56_headers_of_every_answer_with_a_body(hub):
    """Items 8, 10, 49, 55 and 56: the same headers on answers and errors, by GET and HEAD, whatever GET carries."""
    hub.upload(1)
    for path in ("", "/", "/unknown", "?limit=x"):
        answer = hub.mft(path, headers={"Content-Type": "application/json", "Accept": "text/xml"}, data=b"")
        head = hub.mft(path, method="HEAD")
        assert (head.status_code, head.data) == (answer.status_code, b"")
        for one in (answer, head):
            assert one.headers["Content-Type"] == "application/json;charset=utf-8"
            assert one.headers["Content-Length"] == str(len(answer.data))
            assert one.headers["Cache-Control"] == "no-cache, no-store, must-revalidate"
            assert one.headers["X-Content-Type-Options"] == "nosniff"
            assert one.headers["Content-Language"] == "en-US"


def test_37_39_45_the_newest_come_first_up_to_the_limit(hub):
    """Items 37, 39 and 45: by start time, then arrival, whatever the end or the order of the events was."""
    for number in (3, 1, 5, 2, 4):
        hub.upload(number, ended_at=BASE + 100_000 - number)
    assert ids(hub.mft()) == [5, 4, 3, 2, 1]
    assert ids(hub.mft("?limit=2")) == [5, 4]
    hub.upload(9, at=BASE + 3000)
    assert ids(hub.mft("?limit=4")) == [5, 4, 9, 3]


def test_40_44_pages_go_both_ways_from_a_transfer(hub):
    """Items 40 and 44: the n nearest to the named one, which is not among them, newest first."""
    for number in range(1, 8):
        hub.upload(number)
    middle = transfer_id(4).lower()
    assert ids(hub.mft(f"?after={middle}")) == [7, 6, 5]
    assert ids(hub.mft(f"?after={middle}&limit=2")) == [6, 5]
    assert ids(hub.mft(f"?before={middle}")) == [3, 2, 1]
    assert ids(hub.mft(f"?before={middle}&limit=2")) == [3, 2]


def test_43_46_47_unknown_ids_are_404_and_case_does_not_matter(hub):
    """Items 43, 46 and 47: in the path and as a mark, malformed ones included; the answer has upper case."""
    made = hub.upload(1)
    assert hub.mft(f"/{made.lower()}").json["transfer"][0]["id"] == made
    for wrong in ("0" * 48, "x", "z" * 500, "%00", "%C3%A9", "1%2F2%27--"):
        for path in (f"/{wrong}", f"?after={wrong}", f"?before={wrong}"):
            answer = hub.mft(path)
            assert answer.status_code == 404
            assert msg(answer) in {"0401E", "0116E"}


@pytest.mark.parametrize(
    ("path", "id_"),
    [
        ("?limit=0", "0966E"), ("?limit=", "0966E"), ("?after=A&before=B", "0965E"), ("/X?limit=1", "0964E"),
        ("?what=1", "0967E"), ("?limit=1&limit=2", "0968E"), ("?after=", "0969E"), ("?after=%", "0967E"),
        ("?attributes=nothing", "0960E"), ("/X?attributes=id,id", "0961E"), ("/X?attributes=", "0969E"),
    ],
)  # fmt: skip
def test_48_every_wrong_parameter_has_its_id(hub, path, id_):
    """Items 31 to 48: parameters are checked before anything is looked up."""
    answer = hub.mft(path)
    assert (answer.status_code, msg(answer)) == (400, id_)


def test_36_attributes_on_the_list_by_version(hub):
    """Item 36: refused in v2, taken in v1 and v3."""
    hub.upload(1)
    assert msg(hub.mft("?attributes=*", "v2")) == "0962E"
    for version in ("v1", "v3"):
        (one,) = hub.mft("/?attributes=*&limit=1", version).json["transfer"]
        assert one["transferSet"]["item"][0]["destination"]["file"]["path"] == "/in/crate.bin"


def test_50_the_total_counts_all_transfers_once(hub):
    """Items 50, 208 and 241: the counter is that of the record, whatever the page, and repetition does not count."""
    for number in (1, 2, 3):
        hub.upload(number)
    hub.tell(envelope(started(1), 50), envelope(ended(1), 51), envelope(ended(4), 52), envelope(started(4), 53))
    for path in ("", "?limit=1", f"/{transfer_id(1)}", f"?after={transfer_id(3)}"):
        assert hub.mft(path).headers[TOTAL] == "4"


def test_51_an_empty_list_is_200(hub):
    """Item 51: an empty record is an empty list."""
    answer = hub.mft()
    assert (answer.status_code, answer.json, answer.headers[TOTAL]) == (200, {"transfer": []}, "0")


def no_null(value):
    """Return whether a JSON value holds no null."""
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return value is not None and all(no_null(one) for one in inside)


def test_28_52_53_everything_of_a_transfer(hub):
    """Items 28, 52, 53, 61 to 96: the whole record of an upload, without null."""
    made = hub.upload(1)
    (one,) = hub.mft(f"/{made}?attributes=*").json["transfer"]
    assert no_null(one)
    assert one["job"] == {"name": ""}
    assert one["userProperties"] == {"crossdock.protocol": "http-mft"}
    assert one["sourceAgent"] == {"name": "CLIENT", "qmgrName": "QM1"}
    assert one["originator"]["mqmdUserId"] == "part1"
    assert one["statistics"]["retryCount"] == 0
    assert one["status"]["description"].startswith("BFGRP0032I: ")
    assert one["status"]["lastStatusUpdate"] == "2026-05-28T20:26:41.005Z"
    assert (one["transferSet"]["startTime"], one["transferSet"]["bytesSent"]) == ("2026-05-28T20:26:41.001Z", 12)
    (item,) = one["transferSet"]["item"]
    assert item["mode"] == "binary"
    assert item["source"] == {
        "type": "file",
        "disposition": "leave",
        "file": {
            "path": "crate.bin",
            "size": 12,
            "lastModified": "2026-05-28T20:26:40.000Z",
            "encoding": "",
            "endOfLine": "",
        },
    }
    assert item["destination"]["checksum"] == {"method": "md5", "value": "AB" * 16}
    assert item["destination"]["actionIfExists"] == "overwrite"


def test_30_the_default_set_and_the_selected_attributes(hub):
    """Items 29 and 30: nothing else comes back."""
    made = hub.upload(1)
    (one,) = hub.mft(f"/{made}?attributes=job.name,transferSet.bytesSent,originator.userID").json["transfer"]
    assert set(one) == DEFAULT | {"job", "transferSet"}
    assert one["transferSet"] == {"bytesSent": 12}
    (one,) = hub.mft(f"/{made}?attributes=transferSet.item.source.type").json["transfer"]
    assert one["transferSet"] == {"item": [{"source": {"type": "file"}}]}


def test_35_89_91_92_94_queues_and_their_attributes(hub):
    """Items 35, 89, 91, 92 and 94: one object a side by its type, and sha256 where there is no md5."""
    queue = Side(type="queue", name="IN@QM1", message_count=3, include_delimiter=True)
    item = Item(index=0, state="successful", source=Side(type="file", path="a", sha256="cd" * 32), destination=queue)
    made = hub.upload(1, items=(item,))
    (shown,) = hub.mft(f"/{made}?attributes=transferSet.item").json["transfer"][0]["transferSet"]["item"]
    assert shown["source"]["checksum"] == {"method": "sha256", "value": "CD" * 32}
    assert set(shown["destination"]) == {"type", "actionIfExists", "queue"}
    assert shown["destination"]["actionIfExists"] == ""
    assert shown["destination"]["queue"]["messageCount"] == 3
    assert shown["destination"]["queue"]["delimiter"] == ""
    assert msg(hub.mft(f"/{made}?attributes=transferSet.item.destination.file")) == "0963E"


def test_72_79_82_what_a_running_transfer_shows(hub):
    """Items 72, 79 and 82: no end, no description, no start of bytes until there is one."""
    hub.tell(envelope(started(1), 1))
    (one,) = hub.mft(f"/{transfer_id(1)}?attributes=*").json["transfer"]
    assert one["status"]["state"] == "started"
    assert (one["statistics"]["endTime"], one["status"]["description"], one["transferSet"]["startTime"]) == ("", "", "")
    hub.tell(envelope(progressed(1, began_at=BASE, items=(file_item(state="inProgress", size=5),)), 2))
    (one,) = hub.mft(f"/{transfer_id(1)}?attributes=*").json["transfer"]
    assert one["transferSet"]["item"][0]["destination"]["file"]["size"] == 5


def test_93_items_come_in_their_order_and_are_updated_in_place(hub):
    """Item 93: one element for each file, however many events have it."""
    items = [file_item(index, state="inProgress", size=index) for index in (2, 0, 1)]
    hub.tell(envelope(progressed(1, items=tuple(items)), 1))
    hub.tell(envelope(progressed(1, items=(file_item(1, size=99),)), 2))
    shown = hub.mft(f"/{transfer_id(1)}?attributes=transferSet.item").json["transfer"][0]["transferSet"]["item"]
    assert [one["destination"]["file"]["size"] for one in shown] == [0, 99, 2]


def test_98_items_beyond_the_maximum_are_counted_and_not_kept(make_hub):
    """Item 98: the statistics stay exact, the first items stay."""
    hub = make_hub(MQMFT_MAX_ITEMS="3")
    items = tuple(file_item(index) for index in range(5))
    made = hub.upload(1, items=items, totals=Totals(files=5, successes=5))
    (one,) = hub.mft(f"/{made}?attributes=transferSet.item").json["transfer"]
    assert (one["statistics"]["numberOfFiles"], len(one["transferSet"]["item"])) == (5, 3)


def test_204_own_agents_have_the_coordination_queue_manager(hub):
    """Item 204: an agent that names a queue manager keeps it, the hub's own get the coordination one."""
    made = hub.upload(1, destination_agent=Agent(name="BANK", qmgr="QM7"))
    (one,) = hub.mft(f"/{made}?attributes=sourceAgent,destinationAgent").json["transfer"]
    assert (one["sourceAgent"]["qmgrName"], one["destinationAgent"]["qmgrName"]) == ("QM1", "QM7")


def test_208_214_events_in_any_order_and_twice_make_one_record(hub):
    """Items 208 to 214: the same three events in many orders, one by one or in one batch, end alike."""
    shuffled = random.Random(7)
    expected = None
    for number in range(1, 13):
        events = [
            envelope(started(number, at=BASE, job_name="night"), 1),
            envelope(progressed(number, items=(file_item(1, state="inProgress", size=4),)), 2, BASE + 2),
            envelope(ended(number, at=BASE, job_name="night", items=(file_item(0),)), 3, BASE + 5),
        ]
        story = events if expected is None else shuffled.sample(events * 2, 6)
        if number % 2:
            for one in story:
                hub.tell(one)
        else:
            hub.tell(*story)
        (shown,) = hub.mft(f"/{transfer_id(number)}?attributes=*").json["transfer"]
        del shown["id"]
        expected = expected or shown
        assert shown == expected


@pytest.mark.parametrize(
    ("environ", "id_"), [({"MQMFT_ENABLED": "0"}, "0400E"), ({"MQMFT_COORDINATION_QMGR": ""}, "0402E")]
)
def test_128_switched_off_or_without_a_queue_manager_it_is_503(make_hub, environ, id_):
    """Item 128: every resource below admin/mft, after the parameters; login goes on."""
    hub = make_hub(**environ)
    for path in ("", "/unknown"):
        answer = hub.mft(path)
        assert (answer.status_code, msg(answer)) == (503, id_)
    assert hub.mft("?limit=0").status_code == 400
    login = {"username": "mftadmin", "password": "mftadmin"}
    assert hub.ask("/ibmmq/rest/v3/login", "POST", json=login).status_code == 204


def test_123_128_a_database_that_does_not_answer_is_503_of_java(hub):
    """Items 121, 123 and 128: the queue manager does not run, with its reason code and nothing of ours inside."""

    class Away:
        def read(self):
            raise Unavailable("the disk is on fire at /secret/path")

    operations = Operations(
        Away(),
        hub.directory,
        hub.service.settings,
        coordination_qmgr="QM1",
        agents={},
        applied_agents=lambda _connection: {},
        applied_qmgr=lambda _connection: "QM1",
        applied_zone=lambda _connection: "UTC",
    )
    hub.serve(dataclasses.replace(hub.service, operations=operations))
    answer = hub.mft()
    (entry,) = answer.json["error"]
    assert (answer.status_code, entry["msgId"], entry["type"]) == (503, "MQWB0403E", "java")
    assert (entry["completionCode"], entry["reasonCode"]) == (2, 2059)
    assert b"secret" not in answer.data
    assert answer.headers["Retry-After"] == "5"


def test_125_126_a_fault_of_ours_is_500_with_the_request_id(hub):
    """Items 125 and 126: no trace and no words of the exception, but the id that the log has."""
    with hub.service.database.write() as connection:
        connection.exec_driver_sql("DROP TABLE counter")
    answer = hub.mft()
    assert (answer.status_code, msg(answer)) == (500, "0979E")
    assert "r1" in answer.json["error"][0]["explanation"]
    assert b"counter" not in answer.data


def test_200_old_transfers_are_deleted_in_batches(make_hub):
    """Item 200: MQMFT_KEEP_DAYS deletes finished transfers by age, with their items, and the counter follows."""
    hub = make_hub(MQMFT_KEEP_DAYS="1")
    hub.upload(1, at=1000)
    hub.upload(2, at=2000)
    hub.tell(envelope(started(3, at=3000), 90))
    assert hub.service.operations.recorder.purge() == 2
    assert (ids(hub.mft()), hub.mft().headers[TOTAL]) == ([3], "1")
    with hub.service.database.read() as connection:
        assert connection.exec_driver_sql("SELECT COUNT(*) FROM item").scalar() == 0


def test_200_a_transfer_is_as_old_as_its_end(make_hub):
    """Item 200: one that began long ago, such as one that waited for its time, is kept for its days too."""
    hub = make_hub(MQMFT_KEEP_DAYS="1", now=lambda: BASE)
    day = 86_400_000
    for number, over in ((1, BASE - day - 1), (2, BASE - day), (3, BASE - 1)):
        hub.upload(number, at=BASE - 9 * day, ended_at=over)
    assert hub.service.operations.recorder.purge() == 1
    assert sorted(ids(hub.mft())) == [2, 3]


def test_241_the_list_reads_its_index_and_nothing_else(hub):
    """Item 241: SQLite's own plan of the list, of its pages and of the total names indexes, and no scan or sort."""
    hub.upload(1)
    with hub.service.database.read() as connection:
        for where, order in (("", "DESC"), ("WHERE (started_at, arrival) > (1, 1)", "")):
            sql = f"SELECT id FROM transfer {where} ORDER BY started_at {order}, arrival {order} LIMIT 9"
            plan = " ".join(row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}"))
            assert "transfer_place" in plan
            assert "TEMP B-TREE" not in plan


def test_54_names_beyond_ascii_come_back_as_utf8(hub):
    """Item 54: the answer is UTF-8, not escapes."""
    name = Side(type="file", path="/in/Fähre.bin")
    made = hub.upload(1, items=(Item(index=0, state="failed", description="", source=name, destination=name),))
    answer = hub.mft(f"/{made}?attributes=transferSet.item")
    assert "Fähre.bin".encode() in answer.data
    assert json.loads(answer.data)["transfer"][0]["transferSet"]["item"][0]["status"]["description"].startswith(
        "BFGTR0072E: "
    )
