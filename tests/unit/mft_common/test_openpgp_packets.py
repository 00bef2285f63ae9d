"""The packet by which a message is encrypted, read from its first bytes."""

import base64
import time

import pytest

from mft_common.transfer.steps.openpgp.packets import HEAD, encryption_packet

# A session key for a recipient, then the begin of packet 18.
MESSAGE = bytes([0xC1, 3, 1, 2, 3, 0xD2, 5])
BEGIN = b"-----BEGIN PGP MESSAGE-----\n"


@pytest.mark.parametrize("headers", [b"", b"Comment: one: two\n", b"Version: 1\nComment: x\n"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_the_packet_of_an_armored_message_is_seen_behind_its_headers(headers, end):
    """Armor has any number of headers, and lines that end in either way."""
    body = base64.b64encode(MESSAGE + bytes(2))
    text = BEGIN + headers + b"\n" + body + b"\n=abcd\n-----END PGP MESSAGE-----\n"
    assert encryption_packet(text.replace(b"\n", end)) == 18


@pytest.mark.parametrize("line", [b"::\n", b":", b":: \n", b"\n"])
def test_a_head_of_any_bytes_is_read_in_little_time(line):
    """A partner's file of a hundred bytes must not keep the process of a job busy for ever."""
    began = time.process_time()
    for count in (20, HEAD // len(line)):
        assert encryption_packet((BEGIN + line * count + b"x")[:HEAD]) is None
    assert time.process_time() - began < 0.5
