"""The body of a request for a managed transfer: items 154 to 179."""

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqmft_svc.domain.submissions import FOREVER, Submission
from mqmft_svc.errors import BodyInvalid
from mqmft_svc.schemas.submissions import submission

SMALLEST = {
    "sourceAgent": {"name": "agent1", "qmgrName": "qm1"},
    "destinationAgent": {"name": "AGENT2", "qmgrName": "QM1"},
    "transferSet": {"item": [{"source": {"name": "a"}, "destination": {"name": "b"}}]},
}


def changed(**values):
    """Return a body with values at paths such as `transferSet__priority`; `0` is the first item."""
    body = copy.deepcopy(SMALLEST)
    for path, value in values.items():
        at, *names = body, *path.split("__")
        for name in names[:-1]:
            at = at[int(name)] if name.isdigit() else at.setdefault(name, {})
        at[names[-1]] = value
    return body


def refused(body):
    with pytest.raises(BodyInvalid) as caught:
        submission(body)
    return caught.value.words["name"], caught.value.words["reason"]


def test_155_to_176_what_a_request_leaves_out_has_the_vendors_default():
    """Items 155 to 171: agents in upper case, binary, md5, error, leave, priority 0, recovery for ever, 3 tries."""
    made = submission(SMALLEST)
    assert (made.source_agent.name, made.source_agent.qmgr) == ("AGENT1", "QM1")
    (item,) = made.items
    assert (item.mode, item.checksum, item.source.type, item.destination.type) == ("binary", "md5", "file", "file")
    assert (item.source.disposition, item.source.recursive, item.destination.if_exists) == ("leave", False, "error")
    assert (made.job_name, made.priority, made.recovery_timeout, made.retry_count) == ("", 0, FOREVER, 3)
    assert made.user_properties == {}


def test_154_null_counts_as_absent():
    """Item 154: clients send `null` for what they do not mean, at any depth."""
    body = changed(job__name=None, transferSet__priority=None, transferSet__item__0__source__encoding=None)
    assert submission(body) == submission(SMALLEST)


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"transferSet__item__0__source__typ": "file"}, "transferSet.item[0].source.typ"),
        ({"job__label": "x"}, "job.label"),
        ({"sourceAgent": "AGENT1"}, "sourceAgent"),
        ({"sourceAgent__name": ""}, "sourceAgent.name"),
        ({"sourceAgent": {"name": "A"}}, "sourceAgent.qmgrName"),
        ({"job__name": "x" * 257}, "job.name"),
        ({"transferSet": None}, "transferSet"),
        ({"transferSet__item": []}, "transferSet.item"),
        ({"transferSet__item": {}}, "transferSet.item"),
        ({"transferSet__item": [None]}, "transferSet.item[0]"),
        ({"transferSet__item": [{"source": {"name": "a"}}]}, "transferSet.item[0].destination"),
        ({"transferSet__item__0__source__name": "a\0b"}, "transferSet.item[0].source.name"),
        ({"transferSet__item__0__source__type": "folder"}, "transferSet.item[0].source.type"),
        ({"transferSet__item__0__source__recursive": "true"}, "transferSet.item[0].source.recursive"),
        ({"transferSet__item__0__source__disposition": "move"}, "transferSet.item[0].source.disposition"),
        ({"transferSet__item__0__destination__actionIfExists": "skip"},
         "transferSet.item[0].destination.actionIfExists"),
        ({"transferSet__item__0__mode": "ascii"}, "transferSet.item[0].mode"),
        ({"transferSet__item__0__checksum": "sha1"}, "transferSet.item[0].checksum"),
        ({"transferSet__item__0__source__encoding": "UTF-8"}, "transferSet.item[0].source.encoding"),
        ({"transferSet__item__0__mode": "text", "transferSet__item__0__source__encoding": "klingon"},
         "transferSet.item[0].source.encoding"),
        ({"transferSet__item__0__mode": "text",
          "transferSet__item__0__source__encoding": f"utf{'-' * 61}8"},
         "transferSet.item[0].source.encoding"),
        ({"transferSet__item__0__mode": "text", "transferSet__item__0__source__endOfLine": "CR"},
         "transferSet.item[0].source.endOfLine"),
        ({"transferSet__item__0__destination__delimiter": "1K"}, "transferSet.item[0].destination.delimiter"),
        ({"transferSet__item__0__source__useGroups": True}, "transferSet.item[0].source.useGroups"),
        ({"transferSet__priority": 10}, "transferSet.priority"),
        ({"transferSet__priority": -1}, "transferSet.priority"),
        ({"transferSet__recoveryTimeout": -2}, "transferSet.recoveryTimeout"),
        ({"transferSet__retryCount": 1001}, "transferSet.retryCount"),
        ({"transferSet__userProperties": {"com.ibm.wmqfte.X": "1"}}, "transferSet.userProperties"),
        ({"transferSet__userProperties": {"crossdock.job": "1"}}, "transferSet.userProperties"),
        ({"transferSet__userProperties": {"a": 1}}, "transferSet.userProperties.a"),
        ({"scheduleTransfer": "06:00"}, "scheduleTransfer"),
        ({"scheduleTransfer": {"startTime": "06:00", "start": 1}}, "scheduleTransfer.start"),
        ({"scheduleTransfer": {}}, "scheduleTransfer.startTime"),
        ({"scheduleTransfer": {"startTime": 600}}, "scheduleTransfer.startTime"),
        ({"scheduleTransfer": {"startTime": "06:00", "timeBase": "local"}}, "scheduleTransfer.timeBase"),
        ({"scheduleTransfer": {"startTime": "06:00", "occurrenceInterval": "seconds"}},
         "scheduleTransfer.occurrenceInterval"),
        ({"scheduleTransfer": {"startTime": "06:00", "occurrenceFrequency": 2}},
         "scheduleTransfer.occurrenceFrequency"),
        ({"scheduleTransfer": {"startTime": "06:00", "occurrenceCount": 2}}, "scheduleTransfer.occurrenceCount"),
        ({"scheduleTransfer": {"startTime": "06:00", "endTime": "2031-01-01T00:00"}}, "scheduleTransfer.endTime"),
        ({"transferSet__preSourceCall": {"type": "http"}}, "transferSet.preSourceCall.url"),
    ],
)  # fmt: skip
def test_154_177_a_wrong_attribute_is_named_by_its_path(values, name):
    """Items 154 to 177: unknown, missing, of the wrong type, out of its range, or of another kind of item."""
    assert refused(changed(**values))[0] == name


@pytest.mark.parametrize("value", [1.0, "1", True])
def test_177_a_whole_number_is_of_no_other_type(value):
    """Item 177: `1.0`, `"1"` and `true` are no whole numbers, wherever one is due."""
    for name in ("priority", "recoveryTimeout", "retryCount"):
        assert refused(changed(**{f"transferSet__{name}": value})) == (
            f"transferSet.{name}", "it must be a whole number.",
        )  # fmt: skip


def test_157_a_request_has_a_thousand_items_at_most():
    """Item 157: a thousand are taken, one more is not."""
    items = SMALLEST["transferSet"]["item"]
    assert len(submission(changed(transferSet__item=items * 1000)).items) == 1000
    assert refused(changed(transferSet__item=items * 1001))[0] == "transferSet.item"


@pytest.mark.parametrize("kind", ["dataset", "pds", "filespace"])
def test_178_what_z_os_alone_has_is_malformed_and_no_error_of_the_body(kind):
    """Item 178: the schema allows it on either side, and the reason names the item."""
    for side in ("source", "destination"):
        made = submission(changed(**{f"transferSet__item__0__{side}__type": kind}))
        assert made.malformed == f"the {side} of item 0 is a {kind}, which only an agent on z/OS has"
    assert submission(SMALLEST).malformed == ""


_NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)


@given(_NAMES, _NAMES, st.integers(0, 9), st.integers(-1, 1000), st.dictionaries(_NAMES, _NAMES, max_size=3))
def test_a_stored_request_comes_back_as_it_was(name, target, priority, timeout, properties):
    """The worker reads from the database the request that the client had sent."""
    body = changed(
        transferSet__item__0__source__name=name,
        transferSet__item__0__destination__name=target,
        transferSet__item__0__mode="text",
        transferSet__item__0__destination__encoding="cp1047",
        transferSet__priority=priority,
        transferSet__recoveryTimeout=timeout,
        transferSet__userProperties={f"x{key}": value for key, value in properties.items()},
    )
    made = submission(body)
    assert Submission.from_json(json.loads(json.dumps(made.to_json()))) == made
