import json

import pytest

from mft_common import directory as d

SESSION = d.Session(public_id="p", service="s", account="a")
ANSWERS = [
    d.Account(name="a", grant={"roles": ["x"], "prompts": []}),
    d.Wrong(),
    d.Throttled(7),
    d.Opened("t", SESSION),
    d.Full((SESSION, SESSION)),
    d.Trusted(d.Account(name="a")),
    d.Challenge(("one", "two")),
    d.Denied(3),
    (SESSION, d.Account(name="a")),
    None,
    True,
]


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: type(answer).__name__)
def test_every_answer_survives_the_wire(answer):
    """The gateway's API sends the value that a caller in its own process gets."""
    assert d.from_wire(json.loads(json.dumps(d.to_wire(answer)))) == answer


def test_a_field_that_a_newer_gateway_sends_is_ignored():
    """Gateway and services may have different versions during an upgrade."""
    answer = d.to_wire((SESSION, d.Account(name="a")))
    for each in answer:
        each["added_later"] = {"is": "unknown"}
    assert d.from_wire(json.loads(json.dumps(answer))) == (SESSION, d.Account(name="a"))
