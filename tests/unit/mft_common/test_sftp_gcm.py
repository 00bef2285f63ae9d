"""The AES-GCM of SSH connections: the packets are those of asyncssh's own, and a changed one is refused."""

import os

import pytest
from asyncssh.encryption import GCMEncryption, get_default_encryption_algs, get_encryption

from mft_common.endpoints.sftp import connection
from mft_common.endpoints.sftp.gcm import JoinedGcm

NAMES = {"aes128-gcm": 16, "aes256-gcm": 32}
HEADER = 4
BLOCK = 16
TAG = 16


@pytest.fixture(params=NAMES)
def pair(request):
    """Return both implementations with one key, whose nonces are about to wrap round."""
    key, nonce = os.urandom(NAMES[request.param]), os.urandom(4) + b"\xff" * 7 + b"\xfe"
    return [kind.new(request.param, key, nonce) for kind in (JoinedGcm, GCMEncryption)]


def packets():
    for size in (12, 28, 32 * 1024 + 12, 12, 60):
        yield size.to_bytes(HEADER, "big"), os.urandom(size)


def received(encryption, number, sent):
    """Return what a connection makes of the bytes of one packet: it reads a block, then the rest, then the tag."""
    first, rest, tag = sent[:BLOCK], sent[BLOCK:-TAG], sent[-TAG:]
    return encryption.decrypt_packet(number, first, rest, HEADER, tag)


@pytest.mark.parametrize("sender", [0, 1])
def test_the_packets_are_those_of_asyncssh(pair, sender):
    """What either encrypts is decrypted by the other, over the end of the count."""
    for number, (header, packet) in enumerate(packets()):
        sent = b"".join(pair[sender].encrypt_packet(number, header, packet))
        assert sent[:HEADER] == header
        assert received(pair[1 - sender], number, sent) == packet


@pytest.mark.parametrize("place", [0, HEADER, BLOCK, 40, -1])
def test_a_changed_packet_is_refused(pair, place):
    """A bit that changed in the length, in the packet or in its tag gives no packet."""
    header, packet = (60).to_bytes(HEADER, "big"), os.urandom(60)
    sent = bytearray(b"".join(pair[1].encrypt_packet(0, header, packet)))
    sent[place] ^= 1
    assert received(pair[0], 0, bytes(sent)) is None


def test_a_connection_without_ciphers_of_its_own_offers_each_once():
    """Host keys are fetched with asyncssh's own list, in which the ciphers of ours stand already."""
    offered = get_default_encryption_algs()
    assert len(offered) == len(set(offered))
    ours = [get_encryption(name.encode(), bytes(16), bytes(12)) for name in connection.CIPHERS[:1]]
    assert [type(one) for one in ours] == [JoinedGcm]
