import pytest

from mft_common.clock import parse_iso
from mqmft_svc.schemas.definitions import MAX_FILE, Definitions, DefinitionUnreadable, read_definitions
from mqmft_svc.schemas.submissions import submission
from tests.unit.mqmft_svc import definition_samples as samples

NOW = parse_iso("2026-06-01T00:00Z")
QUAY = {"name": "QUAY", "qmgrName": "QMHARBOUR"}
SHED = {"name": "SHED", "qmgrName": "QMINLAND"}
FILE_ITEM = {
    "mode": "text",
    "checksum": "none",
    "source": {
        "name": "/out/*.txt",
        "type": "file",
        "encoding": "IBM-1047",
        "endOfLine": "CRLF",
        "recursive": True,
        "disposition": "delete",
    },
    "destination": {"name": "/in", "type": "directory", "encoding": "UTF-8", "actionIfExists": "overwrite"},
}
QUEUE_ITEM = {
    "mode": "binary",
    "checksum": "md5",
    "source": {
        "name": "OUT@QMHARBOUR",
        "type": "queue",
        "messageWaitTime": 30,
        "useGroups": True,
        "recursive": False,
        "disposition": "leave",
    },
    "destination": {
        "name": "IN@QMINLAND",
        "type": "queue",
        "delimiterType": "binary",
        "delimiter": "x0A",
        "delimiterPosition": "prefix",
        "includeDelimiterInMessage": False,
        "setMqProperties": True,
        "actionIfExists": "error",
    },
}


def read(*documents):
    """Return what documents define."""
    found = Definitions(now=NOW)
    for document in documents:
        read_definitions(document.encode(), "d.xml", found)
    return found


def test_a_template_is_a_transfer_with_its_items_and_properties():
    """Its name is that of the transfer; what the agents set themselves is left out."""
    found = read(samples.TEMPLATE)
    assert found.transfers == [
        {
            "name": "EVENING",
            "job": {"name": "evening run"},
            "sourceAgent": QUAY,
            "destinationAgent": SHED,
            "transferSet": {
                "item": [FILE_ITEM, QUEUE_ITEM],
                "priority": 3,
                "userProperties": {"consignment": "K-77"},
            },
        }
    ]
    assert found.agents == {"QUAY": "QMHARBOUR", "SHED": "QMINLAND"}
    assert found.notes == []


def test_a_request_keeps_its_schedule_and_says_what_becomes_of_its_time_zone():
    """A time zone of its own is none of the hub's three time bases."""
    found = read(samples.REQUEST)
    (transfer,) = found.transfers
    assert transfer["name"] == "d"
    assert transfer["scheduleTransfer"] == {
        "startTime": "2031-05-04T21:00",
        "timeBase": "source",
        "occurrenceInterval": "days",
        "occurrenceFrequency": 2,
        "occurrenceCount": 9,
    }
    (note,) = found.notes
    assert note.startswith("d.xml/schedule/submit: the time zone Europe/Amsterdam is not carried over")


def test_scheduled_transfers_are_named_by_their_agent_and_number():
    """A list of schedules holds any number of them, also some without a schedule."""
    found = read(samples.SCHEDULES)
    assert [transfer["name"] for transfer in found.transfers] == ["QUAY-6", "QUAY-7"]
    assert found.transfers[0]["scheduleTransfer"] == {
        "startTime": "2031-05-04T21:00",
        "timeBase": "utc",
        "occurrenceInterval": "weeks",
        "occurrenceFrequency": 1,
        "endTime": "2032-05-04T21:00",
    }
    assert "scheduleTransfer" not in found.transfers[1]
    assert found.notes == []


def test_a_monitor_has_its_resource_condition_and_transfer():
    """The job's name goes to the transfer that the monitor starts."""
    found = read(samples.monitor())
    assert found.notes == []
    (monitor,) = found.monitors
    definition = monitor.pop("transferDefinition")
    assert monitor == {
        "name": "WATCH",
        "agentName": "QUAY",
        "type": "directory",
        "resource": {"name": "/out", "recursionLevel": 2},
        "triggerCondition": {"type": "matchAll", "includePattern": "*.csv", "excludePattern": "*.tmp"},
        "general": {"pollInterval": 20, "pollIntervalUnit": "seconds", "matchesPerTask": 5},
        "defaultVariables": {"suffix": "done"},
    }
    assert definition["job"] == {"name": "found it"}
    assert definition["transferSet"]["item"][0]["destination"]["name"] == "/in/${FileName}.${suffix}"


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("<fileNoMatch><pattern>*</pattern></fileNoMatch>", {"type": "matchNone", "includePattern": "*"}),
        (
            '<fileSize><compare operator="&gt;=" units="MB">10</compare><pattern type="regex">a.+</pattern></fileSize>',
            {
                "type": "sizeGreaterOrEqualTo",
                "fileSize": 10,
                "fileSizeUnit": "MB",
                "includePattern": "a.+",
                "matchPattern": "regex",
            },
        ),
        (
            '<fileSizeSame polls="3"><pattern>*.dat</pattern></fileSizeSame>',
            {"type": "noChangeInSize", "noFileSizeChangePollCount": 3, "includePattern": "*.dat"},
        ),
    ],
)
def test_each_condition_of_a_folder_is_carried_over(condition, expected):
    """Item 187: the hub has a word for each of IBM's."""
    found = read(samples.monitor(condition))
    assert found.monitors[0]["triggerCondition"] == expected
    assert found.notes == []


@pytest.mark.parametrize(
    ("condition", "word"), [("<queueNotEmpty/>", "queueNotEmpty"), ("<completeGroups/>", "completeMessageGroups")]
)
def test_each_condition_of_a_queue_is_carried_over(condition, word):
    """Item 187: a queue has two of its own."""
    (monitor,) = read(samples.monitor(condition, resource="<queue>IN</queue>")).monitors
    assert (monitor["type"], monitor["resource"], monitor["triggerCondition"]) == (
        "queue",
        {"name": "IN"},
        {"type": word},
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("UTF-8", "UTF-8"),
        ("IBM-1047", "IBM-1047"),
        ("ibm-37", "cp037"),
        ("IBM-850", "cp850"),
        ("500", "500"),
        ("1208", "UTF-8"),
        ("819", "ISO-8859-1"),
        ("Cp1252", "Cp1252"),
        ("windows-1252", "windows-1252"),
    ],
)
def test_encodings_are_written_by_the_names_of_the_hub(given, expected):
    """Item 166: IBM's names and numbers of code pages are mostly not Python's."""
    found = read(samples.TEMPLATE.replace("IBM-1047", given))
    assert found.transfers[0]["transferSet"]["item"][0]["source"]["encoding"] == expected
    assert found.notes == []


def test_every_body_is_one_that_the_hub_takes():
    """Items 155 to 176: what is printed can be posted, but for its name."""
    found = read(samples.TEMPLATE, samples.REQUEST, samples.SCHEDULES, samples.monitor())
    bodies = [*found.transfers, *(monitor["transferDefinition"] for monitor in found.monitors)]
    assert len(bodies) == 5
    for body in bodies:
        submission({name: value for name, value in body.items() if name != "name"})


NOT_CARRIED = {
    "a body that is refused": (
        samples.TEMPLATE.replace('"consignment"', '"crossdock.job"'),
        "the hub would refuse transferSet.userProperties: names that begin with",
    ),
    "a long wait": (samples.TEMPLATE.replace('"30"', '"9999"'), "the hub would refuse transferSet.item[1].source"),
    "a monitor's transfer that is refused": (
        samples.monitor(item=samples.TASK_ITEM.replace("${FilePath}", "x" * 5_000)),
        "the hub would refuse transferDefinition.transferSet.item[0].source.name",
    ),
    "an encoding": (samples.TEMPLATE.replace("IBM-1047", "IBM-939"), "no encoding of the name 'IBM-939'"),
    "an end of line": (samples.TEMPLATE.replace("CRLF", "NEL"), "the end of line 'NEL' is not carried over"),
    "a time to wait": (samples.TEMPLATE.replace('"30"', '"long"'), "'long' is no number of seconds"),
    "an attribute": (
        samples.TEMPLATE.replace('checksumMethod="none"', 'checksumMethod="none" novelty="1"'),
        "item[1]: the attribute novelty='1'",
    ),
    "an element": (samples.TEMPLATE.replace("<fileSpecs>", "<fileSpecs><novelty/>"), "fileSpecs: the element novelty"),
    "an attribute of a queue": (
        samples.TEMPLATE.replace('useGroups="true"', 'useGroups="true" groupId="x"'),
        "the attribute groupId='x'",
    ),
    "an encoding of bytes": (
        samples.REQUEST.replace('mode="text"', 'mode="binary"'),
        "the attribute encoding='IBM-1047'",
    ),
    "a call": (
        samples.REQUEST.replace("<transferSet", '<preSourceCall><command name="rm"/></preSourceCall><transferSet'),
        "preSourceCall: is not carried over",
    ),
    "a trigger": (
        samples.REQUEST.replace("<transferSet", "<trigger><fileExist/></trigger><transferSet"),
        "trigger: is",
    ),
    "a reply": (samples.REQUEST.replace("<transferSet", '<reply QMGR="A">Q</reply><transferSet'), "reply: is"),
    "a priority": (samples.REQUEST.replace('priority="0"', 'priority="11"'), "priority is not carried over: '11'"),
    "an interval": (samples.REQUEST.replace('"days"', '"fortnights"'), "repeat: is not carried over"),
    "a start that has passed": (
        samples.REQUEST.replace(">2031-05-04T21:00<", ">2019-05-04T21:00<"),
        "the hub would refuse scheduleTransfer.startTime: 2019-05-04T21:00 has passed",
    ),
    "an end before the start": (
        samples.SCHEDULES.replace("2032-05-04", "2031-05-03"),
        "the hub would refuse scheduleTransfer.endTime: it is before the start.",
    ),
    "no occurrence": (
        samples.REQUEST.replace("<expireCount>9<", "<expireCount>0<"),
        "the hub would refuse scheduleTransfer.occurrenceCount: it must be between 1 and",
    ),
    "a time": (samples.REQUEST.replace(">2031-05-04T21:00<", ">soon<"), "schedule: is not carried over"),
    "a type": (samples.REQUEST.replace('type="directory"', 'type="tape"'), "the type 'tape' is not known"),
    "a second condition": (
        samples.monitor().replace("</condition>", "</condition><condition><fileMatch/></condition>"),
        "condition[2]: is not carried over",
    ),
    "a smaller file": (
        samples.monitor(
            '<fileSize><compare operator="&lt;" units="B">1</compare></fileSize>',
        ),
        "compare: is not carried over",
    ),
    "a number of levels": (
        samples.monitor(resource='<directory recursionLevel="-1">/out</directory>'),
        "directory: recursionLevel='-1' is no number; 0 is written",
    ),
    "a number of polls": (
        samples.monitor('<fileSizeSame polls="few"/>'),
        "fileSizeSame: polls='few' is no number; 1 is written",
    ),
    "a list in a file": (samples.monitor(more="<triggerFileContent/>"), "triggerFileContent: is not carried over"),
    "a variable": (samples.monitor(item=samples.TASK_ITEM.replace("{suffix}", "{GroupId}")), "no variable GroupId"),
    "a schedule of a monitor": (
        samples.monitor().replace("<transferSet>", f"{samples.SCHEDULE}<transferSet>"),
        "schedule: is not carried over",
    ),
    "a description": (samples.monitor(more="<description>why</description>"), "the element description"),
    "another queue manager": (
        samples.SCHEDULES.replace('"QMINLAND"', '"QMOTHER"', 1),
        "agent SHED is of QMINLAND here and of QMOTHER elsewhere",
    ),
    "a name": (samples.REQUEST.replace('agent="SHED"', 'agent="FILESTORE"'), "no agent of the name 'FILESTORE'"),
    "no items": (samples.REQUEST.replace(samples.FILE_ITEM, ""), "it has no item"),
    "no agent": (samples.REQUEST.replace('agent="SHED"', ""), "it names no source agent"),
    "an item without a name": (samples.REQUEST.replace("/out/*.txt", ""), "its source or its destination has no name"),
    "a call of its own": ("<request><managedCall/></request>", "the request is none for a transfer"),
    "a list of files": ("<transferSpecifications><item/></transferSpecifications>", "names no agents"),
}


@pytest.mark.parametrize(("document", "note"), NOT_CARRIED.values(), ids=NOT_CARRIED.keys())
def test_whatever_is_not_carried_over_is_named(document, note):
    """The import loses nothing in silence, and each note begins with the file."""
    found = read(document)
    found.finish()
    assert any(note in each for each in found.notes), found.notes
    assert all(each.startswith("d.xml") for each in found.notes)


def test_every_attribute_and_element_of_a_definition_is_carried_over_or_named():
    """Parts that no version has yet are put everywhere, and each of them is in a note."""
    for document in (samples.TEMPLATE, samples.REQUEST, samples.SCHEDULES, samples.monitor()):
        places = [place for place in range(len(document)) if document.startswith(("<item", "<source", "<file"), place)]
        for place in places:
            end = document.index(">", place)
            end -= document[end - 1] == "/"
            changed = f"{document[:end]} novelty='1'{document[end:]}"
            assert any("novelty" in note for note in read(changed).notes), changed[place : place + 60]


def test_a_second_monitor_of_a_name_is_named_and_left_out():
    """Names are unique on an agent."""
    found = read(samples.monitor(), samples.monitor())
    assert len(found.monitors) == 1
    assert found.notes == ["d.xml: monitor watch: is not carried over: the agent has a monitor of that name already"]


def test_two_transfers_of_a_name_get_two_names():
    """Files of the same job are not confused."""
    assert [one["name"] for one in read(samples.REQUEST, samples.REQUEST).transfers] == ["d", "d-2"]


HOSTILE = {
    "empty": "",
    "no XML": "definitely not",
    "cut": samples.TEMPLATE[:-10],
    "an entity": f'<!DOCTYPE a [<!ENTITY b "c">]>{samples.REQUEST}',
    "an external entity": f'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>{samples.REQUEST}',
    "deep": "<request>" + "<a>" * 5_000 + "</a>" * 5_000 + "</request>",
    "many elements": "<request>" + "<a/>" * 300_000 + "</request>",
    "long": "<request>" + "x" * MAX_FILE + "</request>",
    "another root": "<transaction/>",
    "a page": "<html><body/></html>",
    "another encoding": samples.TEMPLATE.replace("UTF-8", "IBM-1047"),
}


@pytest.mark.parametrize("document", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_files_are_refused_with_a_reason_of_one_line(document):
    """The parser expands, fetches and carries over nothing."""
    found = Definitions()
    with pytest.raises(DefinitionUnreadable) as refused:
        read_definitions(document.encode(), "d.xml", found)
    assert 0 < len(str(refused.value)) < 200
    assert "\n" not in str(refused.value)
    assert found == Definitions()
