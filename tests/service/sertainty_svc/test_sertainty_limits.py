"""Calls that are refused by a bound before they cost time or memory (12, 108, 109)."""

import base64

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


def test_46_109_forty_thousand_machines_are_408_before_their_document_is_read(filled):
    """Items 46 and 109: to read them would take longer than a call may, for an ID that has no room for them."""
    hub, session = filled
    key = base64.b64encode(bytes(31) + b"\x09").decode()
    leaves = "".join(f"<{tag}>{'x' * 20}</{tag}>" for tag in ("Architecture", "CpuModel", "MachineUUID", "OsName"))
    device = f"{leaves}<PublicKey algorithm='X25519'>{key}</PublicKey></Device>"
    many = "".join(f"<Device id='{number}'>{device}" for number in range(40_000))
    reply = hub.call("sharedNewID", "n", f"<Configuration>{many}</Configuration>", session=session)
    assert reply.status == 408
    assert reply.detail == "the arguments machine-fingerprint have more than 4194304 bytes together"
