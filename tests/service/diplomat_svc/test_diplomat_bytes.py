"""Answers to the byte, as the samples of the guide have them: escapes, empty elements, and the eight cells."""

import pytest

NOW = 1_780_000_000_000
DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>\n'


@pytest.fixture
def dock(hub, transaction):
    """A hub of two transactions whose clock stands still, with places for two sessions."""
    transactions = transaction("\"<é>\" & 'x'", direction="inbound"), transaction("two")
    return hub(*transactions, clock=lambda: NOW, diplomat={"sessions": {"limit": 2}}).log_in()


def test_an_answer_without_content_to_the_byte_12_14_19(dock):
    """The declaration, the root with its attribute, and the status alone."""
    expected = b'<diplomatApiResponse responseType="okResponse"><statusCode>200</statusCode></diplomatApiResponse>'
    assert dock.call("disconnect").body == DECLARATION + expected


def test_empty_elements_have_two_tags_28_29(dock):
    """Where a label has no domain its element is there and empty, as `domain` and `userID` of an account are."""
    unknown = dock.call("jobHistories", ("transactionID", "77"))
    assert b"<transactionName></transactionName></jobHistories>" in unknown.body
    dock.cookie = None
    assert b"<domain></domain><userID></userID><twoFactorAuth>" in dock.connect(user_id="Ann").body
    assert b"<sessionDomain></sessionDomain><sessionUserID>Ann</sessionUserID>" in dock.connect().body


def test_statuses_to_the_byte_14_60_61_62(dock):
    """Eight cells of attributes alone, each in one tag, and names with their markup escaped."""
    cells = "".join(
        f'<transactionStatusSummary row="{row}" column="{column}" value="{int(row == 0)}"/>'
        for row in range(4)
        for column in range(2)
    )
    listed = "".join(
        f"<transactionStatus><monitorTime>%(at)d</monitorTime><transactionId>{number:016d}</transactionId>"
        f"<transactionName>{name}</transactionName><transactionType>{kind}</transactionType>"
        "<transactionState>Not Scheduled</transactionState></transactionStatus>"
        for number, name, kind in ((1, "\"&lt;é&gt;\" &amp; 'x'", "Inbound"), (2, "two", "Outbound"))
    )
    answer = dock.call("transactionStatuses")
    expected = (
        '<diplomatApiResponse responseType="transactionStatusesResponse"><statusCode>200</statusCode>'
        f"<monitorTime>%(at)d</monitorTime><dbUpdating>false</dbUpdating>{cells}{listed}</diplomatApiResponse>"
    )
    assert answer.body == DECLARATION + (expected % {"at": int(answer.text("monitorTime"))}).encode()


def test_line_ends_and_forbidden_characters_come_back_14(dock):
    """A carriage return is a character reference, a line feed stays, and what XML forbids is U+FFFD."""
    answer = dock.call("jobHistories", ("transactionName", "a\r\nb\x1b]]>\ufffe"))
    assert "<transactionName>a&#13;\nb\ufffd]]&gt;\ufffd</transactionName>".encode() in answer.body
    assert answer.text("jobHistories/transactionName") == "a\r\nb\ufffd]]>\ufffd"
