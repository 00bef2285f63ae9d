"""Calls that are refused by a bound before they cost time or memory (12, 108, 109)."""

import pytest


@pytest.mark.parametrize(
    "arguments",
    [["u" * 65_537], ["auditor", "a" * 65_530], ["auditor", ("p" * 65_530, "a")], ["auditor", *["a" * 66] * 1000]],
    ids=["user", "answer", "name of an answer", "answers"],
)
def test_24_109_more_than_any_account_has_is_408_before_the_directory_is_asked(hub, arguments):
    """Items 24 and 109: an answer of megabytes takes hours to compare, and no place in a question to the gateway."""
    reply = hub.call("hostOpenSession", *arguments)
    assert (reply.status, reply.detail) == (408, "the arguments have more than 65536 characters")
    assert hub.directory.asked == []
    assert hub.call("hostOpenSession", "u" * 65_536).status == 2
