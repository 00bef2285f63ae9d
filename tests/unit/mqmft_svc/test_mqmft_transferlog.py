import time

import pytest

from mft_common.clock import parse_iso
from mqmft_svc.schemas.transferlog import MAX_MESSAGE, MessageUnreadable, read_message
from tests.unit.mqmft_svc import transferlog_messages as messages
from tests.unit.mqmft_svc.transferlog_messages import at, completed, item, log, progress, started, status, transaction
from tests.unit.mqmft_svc.transferlog_record import shown


def file_side(path, modified, **more):
    """Return one side of item 1 as an answer shows it."""
    return {
        "type": "file",
        "checksum": {"method": "md5", "value": f"{1:032X}"},
        "file": {"path": path, "size": 100, "lastModified": at(modified), "encoding": "", "endOfLine": ""},
        **more,
    }


def test_194_a_whole_transfer_is_shown_with_everything_its_messages_tell():
    """Item 194: each element and attribute has its place in the record."""
    end = completed(supplement="BFGRP0032I: Two of two.", retries=3, warnings=1)
    warned = item(2, code=2, supplement="BFGTR0001W: kept")
    document = shown(started(), progress(50, [item(1), warned], sent=200), end)
    second = document["transferSet"]["item"].pop()
    assert document == {
        "id": messages.ID.upper(),
        "job": {"name": "evening"},
        "userProperties": {"consignment": "K-77"},
        "sourceAgent": {"name": "QUAY", "qmgrName": "QMHARBOUR"},
        "destinationAgent": {"name": "SHED", "qmgrName": "QMINLAND"},
        "originator": {"host": "crane-7", "userId": "dana", "mqmdUserId": "dana"},
        "statistics": {
            "startTime": at(15),
            "endTime": at(90),
            "retryCount": 3,
            "numberOfFiles": 2,
            "numberOfFileSuccesses": 2,
            "numberOfFileFailures": 0,
            "numberOfFileWarnings": 1,
        },
        "status": {"state": "successful", "description": "BFGRP0032I: Two of two.", "lastStatusUpdate": at(90)},
        "transferSet": {
            "startTime": at(20),
            "bytesSent": 200,
            "item": [
                {
                    "mode": "binary",
                    "status": {"state": "successful", "description": ""},
                    "source": file_side("/out/1.csv", 5, disposition="delete"),
                    "destination": file_side("/in/1.csv", 40, actionIfExists="overwrite"),
                }
            ],
        },
    }
    assert second["status"] == {"state": "successful", "description": "BFGTR0001W: kept"}


def test_194_the_first_message_alone_makes_a_running_transfer():
    """Item 194: its start is that of its set, and it has no end."""
    document = shown(started())
    assert document["status"] == {"state": "started", "description": "", "lastStatusUpdate": at(10)}
    assert (document["statistics"]["startTime"], document["statistics"]["endTime"]) == (at(20), "")
    assert document["statistics"]["numberOfFiles"] == 2


@pytest.mark.parametrize(
    ("codes", "state"),
    [
        ([0], "inProgress"),
        ([0, 2], "inProgressWithWarnings"),
        ([2, 1, 0], "inProgressWithFailures"),
        ([], "inProgress"),
    ],
)
def test_194_progress_tells_of_the_worst_of_its_items(codes, state):
    """Item 194: code 1 is a failure, code 2 a warning."""
    document = shown(progress(50, [item(number, code=code) for number, code in enumerate(codes)]))
    assert document["status"]["state"] == state


def test_194_index_places_the_items_of_a_progress_message():
    """Item 194: a later part of a long transfer keeps its place, whichever part comes first."""
    last, first = progress(60, [item(3)], index=2, total=3), progress(50, [item(1), item(2)], index=0, total=3)
    paths = [one["source"]["file"]["path"] for one in shown(last, first)["transferSet"]["item"]]
    assert paths == ["/out/1.csv", "/out/2.csv", "/out/3.csv"]


@pytest.mark.parametrize(
    ("code", "supplement", "state"),
    [
        (0, "", "successful"),
        (20, "", "partiallySuccessful"),
        (21, "", "failed"),
        (40, "", "failed"),
        (41, "", "cancelled"),
        (43, "", "malformed"),
        (53, "", "notAuthorized"),
        (99, "", "failed"),
        (0, "BFGRP0034I: none", "failed"),
        (0, "BFGRP0037I: stopped", "failed"),
        (0, "BFGRP0033I: some", "partiallySuccessful"),
        (40, "BFGRP0032I: all", "successful"),
        (20, "BFGRP0036I: nothing to do", "successful"),
        (20, "BFGRP9999I: something new", "partiallySuccessful"),
    ],
)
def test_195_result_codes_and_supplements_tell_the_end(code, supplement, state):
    """Item 195: the supplement's id decides where it is one of the known ones."""
    document = shown(completed(code=code, supplement=supplement))
    assert document["status"]["state"] == state
    assert document["status"]["description"].startswith(supplement or "BFGRP00")


def test_195_the_first_supplement_with_a_known_id_decides():
    """Item 195: exits add supplements of their own, before or after that of the agent."""
    body = log(
        "completed",
        90,
        '<status resultCode="0"><supplement>the exit of BFGRP0032I</supplement><supplement/>'
        "<supplement>BFGRP0034I: none</supplement><supplement>BFGRP0032I: all</supplement></status>",
    )
    status_shown = shown(body)["status"]
    assert status_shown["state"] == "failed"
    assert status_shown["description"].endswith("the exit of BFGRP0032I BFGRP0034I: none BFGRP0032I: all")


@pytest.mark.parametrize("action", ["cancelled", "malformed", "notAuthorized", "deleted"])
def test_194_other_ends_are_taken_as_they_are(action):
    """Item 194: these actions are states, also in a message without a set or statistics."""
    body = log(action, 70, '<status resultCode="43"><supplement>BFGRR0001E: no</supplement></status>')
    document = shown(body)
    assert document["status"] == {"state": action, "description": "BFGRR0001E: no", "lastStatusUpdate": at(70)}
    assert document["statistics"]["endTime"] == at(70)


def test_75_successes_and_failures_are_all_files():
    """Items 75 and 194: successes are the others, also where the message has no statistics."""
    counted = shown(completed(code=20, failures=2, total=5))["statistics"]
    assert (counted["numberOfFileSuccesses"], counted["numberOfFileFailures"]) == (3, 2)
    for code, expected in ((0, (5, 0)), (40, (0, 5))):
        bare = log("completed", 80, f'<status resultCode="{code}"/><transferSet total="5" bytesSent="9"/>')
        statistics = shown(bare)["statistics"]
        assert (statistics["numberOfFileSuccesses"], statistics["numberOfFileFailures"]) == expected


def test_194_queues_and_data_sets_are_shown_with_their_own_attributes():
    """Items 91, 92, 99 and 194: neither is a file."""
    body = progress(50, [messages.FROM_QUEUE, messages.FROM_DATASET, messages.FROM_MEMBER])
    first, second, third = shown(body)["transferSet"]["item"]
    assert first["source"]["queue"] == {"name": "IN@QMHARBOUR", "messageCount": 4, "setMqProperties": True}
    assert first["destination"]["file"] | {"lastModified": ""} == {
        "path": "/a", "size": 7, "lastModified": "", "encoding": "UTF-8", "endOfLine": "CRLF",
    }  # fmt: skip
    assert second["source"]["dataset"] == {"name": "//HLQ.A", "attributes": "RECFM(F)", "size": 80}
    assert second["destination"]["queue"] == {
        "name": "OUT@QMINLAND", "messageCount": 2, "messageLength": 40, "messageOrGroupId": "bb",
        "delimiterType": "binary", "delimiter": "2", "delimiterPosition": "postfix", "includeDelimiterInMessage": False,
    }  # fmt: skip
    assert third["source"]["dataset"]["name"] == "//HLQ.P(M)"
    assert third["status"]["state"] == "inProgress"


def test_97_a_failed_item_has_an_id_and_its_reason():
    """Items 97 and 194: the supplement of an item is its description."""
    (failed,) = shown(progress(50, [item(1, code=1, supplement="BFGIO0001E: gone")]))["transferSet"]["item"]
    assert failed["status"] == {"state": "failed", "description": "BFGIO0001E: gone"}


def test_196_a_status_message_shows_the_size_so_far_and_changes_nothing_else():
    """Item 196: state, counters, start and description stay; the item on its way has its size."""
    before, after = shown(started()), shown(started(), status(30, 1, 64))
    (running,) = after["transferSet"].pop("item")
    assert before["transferSet"].pop("item") == []
    assert (running["source"]["file"]["size"], running["destination"]["file"]["size"]) == (100, 64)
    assert after["status"].pop("lastStatusUpdate") == at(30)
    assert before["status"].pop("lastStatusUpdate") == at(10)
    assert after == before


@pytest.mark.parametrize(
    ("total", "items"), [(3, []), (1, ["/out/1.csv"])], ids=["one of three items", "the only item"]
)
def test_196_a_status_message_that_names_no_item_changes_that_of_a_single_one_alone(total, items):
    """Item 196: it would show the path and size of another file at the first item."""
    body = status(30, 1, 64, total=total).replace(b' currentItem="2"', b"")
    found = shown(started(total=total), body)["transferSet"]["item"]
    assert [one["source"]["file"]["path"] for one in found] == items


def test_196_a_late_status_message_does_not_shrink_a_file_that_arrived():
    """Items 196 and 210: the log outranks status messages, whatever their times are."""
    document = shown(started(), progress(50, [item(1)], total=1), status(70, 0, 64, total=1))
    assert document["transferSet"]["item"][0]["destination"]["file"]["size"] == 100


@pytest.mark.parametrize(
    "body",
    [
        b'<monitorLog version="6.00" ID="1"><action time="2026-05-04T21:00:00Z">create</action></monitorLog>',
        b'<schedulelog version="6.00" ID="1"><action time="2026-05-04T21:00:00Z">submit</action></schedulelog>',
        b'<m:monitorList xmlns:m="http://example.org/m" agent="QUAY"/>',
        transaction(f'<action time="{at(1)}">completed</action><agent agent="QUAY"/>'),
    ],
)
def test_196_messages_of_monitors_schedules_and_calls_are_passed_over(body):
    """Item 196: they belong to the same topics and are no transfers."""
    assert read_message(body, "mq") is None


def test_193_unknown_elements_versions_and_schemes_are_passed_over():
    """Item 193: a later version of the product may add anything; the prefix `xsi` may be bound to https."""
    extra = '<novelty deep="1"><novelty>x</novelty></novelty>'
    body = started().replace(b"</transaction>", f"{extra}</transaction>".encode()).replace(b"6.00", b"17.3")
    body = body.replace(b"<metaDataSet>", f"{extra}<metaDataSet>".encode()).replace(b"http://www", b"https://www")
    assert shown(body) == shown(started())


@pytest.mark.parametrize(
    ("found", "put"),
    [
        (b'total="2"', b'total="many"'),
        (b'total="2"', b'total="-2"'),
        (b'total="2"', b'total="' + b"9" * 40 + b'"'),
        (b'bytesSent="0"', b'bytesSent="1e9"'),
        (b'startTime="2026', b'startTime="soon'),
        (b'startTime="2026', b'startTime="0000'),
    ],
)
def test_193_a_value_that_cannot_be_read_counts_as_absent(found, put):
    """Item 193: one odd attribute costs that attribute alone."""
    document = shown(started().replace(found, put))
    assert document["statistics"]["numberOfFiles"] == (0 if found.startswith(b"total") else 2)
    assert document["transferSet"]["bytesSent"] == 0
    assert document["sourceAgent"]["name"] == "QUAY"
    assert document["status"]["state"] == "started"


def test_a_time_without_a_zone_is_utc():
    """XML Schema leaves the zone out where it likes."""
    body = started().replace(b'action time="2026-05-04T21:00:00.010Z"', b'action time="2026-05-04T21:00:00"')
    assert read_message(body, "mq").time == parse_iso("2026-05-04T21:00:00Z")


HOSTILE = {
    "empty": b"",
    "no XML": b"started",
    "cut": started()[:-20],
    "another root": started().replace(b"transaction", b"transfers"),
    "a namespace": started().replace(b'xmlns=""', b'xmlns="http://example.org/t"'),
    "entities": b'<!DOCTYPE transaction [<!ENTITY a "b">]>' + started().partition(b"?>")[2],
    "an external entity": b'<!DOCTYPE transaction [<!ENTITY a SYSTEM "file:///etc/passwd">]><transaction ID="&a;"/>',
    "a remote DTD": b'<!DOCTYPE transaction SYSTEM "http://127.0.0.1/x.dtd"><transaction ID="A1"/>',
    "deep": transaction("<a>" * 5_000 + "</a>" * 5_000),
    "many elements": transaction("<a/>" * 300_000),
    "long": transaction("x" * MAX_MESSAGE),
    "UTF-16": started().decode().replace("UTF-8", "UTF-16").encode("utf-16"),
    "bytes that are no UTF-8": started().replace(b"dana", b"d\xff\xfena"),
    "an unbound prefix": started().replace(b"xmlns:xsi", b"xmlns:other"),
    "no id": transaction('<action time="2026-05-04T21:00:00Z">started</action>', id_=""),
    "an id of another alphabet": started(id_="\u0661\u0662"),
    "a long id": started(id_="A" * 49),
    "no time": transaction("<action>started</action>"),
    "a time before 1970": transaction('<action time="1066-10-14T09:00:00Z">started</action>'),
    "an unknown action": log("paused", 1, ""),
    "an end without a result": log("completed", 1, "<status/>"),
    "neither log nor status": transaction("<sourceAgent/>"),
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_193_197_what_is_no_message_is_refused_at_once_with_a_reason(body):
    """Items 193 and 197: nothing is expanded, fetched or built before it is refused."""
    began = time.process_time()
    with pytest.raises(MessageUnreadable) as refused:
        read_message(body, "mq")
    assert 0 < len(str(refused.value)) < 200
    assert time.process_time() - began < 2


def test_a_billion_laughs_is_refused():
    """Nested entities cost nothing."""
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    body = f'<!DOCTYPE transaction [<!ENTITY l0 "lol">{entities}]><transaction ID="A1">&l11;</transaction>'
    with pytest.raises(MessageUnreadable):
        read_message(body.encode(), "mq")
