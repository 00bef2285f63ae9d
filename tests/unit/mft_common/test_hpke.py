"""HPKE of both suites: round trips, refused keys, and the binding to `info`."""

import pytest

from mft_common import hpke
from mft_common.hpke import KeyRefused, NotDecrypted, Suite

both = pytest.mark.parametrize("suite", list(Suite))


@both
def test_a_ciphertext_is_read_with_the_private_key_and_the_same_info_alone(suite):
    """A ciphertext of another `info`, for another key, changed in any byte or cut anywhere is refused."""
    private = hpke.generate()
    secret = hpke.encrypt(suite, hpke.public_bytes(suite, private), b"k" * 32, b"of this file")
    assert len(secret) == 32 + suite.overhead == {1: 80, 2: 1168}[suite]
    assert hpke.decrypt(suite, private, secret, b"of this file") == b"k" * 32
    wrong = [(hpke.generate(), secret, b"of this file"), (private, secret, b"of another file")]
    wrong += [(private, secret[:at] + bytes([secret[at] ^ 1]) + secret[at + 1 :], b"of this file") for at in range(80)]
    wrong += [(private, secret[:at], b"of this file") for at in (0, 1, suite.encapsulation, len(secret) - 1)]
    wrong.append((private, bytes(suite.encapsulation) + secret[suite.encapsulation :], b"of this file"))
    for key, ciphertext, info in wrong:
        with pytest.raises(NotDecrypted):
            hpke.decrypt(suite, key, ciphertext, info)


@both
def test_two_encryptions_of_one_secret_share_no_bytes_that_tell_it(suite):
    """Each encryption has a key of its own."""
    public = hpke.public_bytes(suite, hpke.generate())
    one, two = (hpke.encrypt(suite, public, b"k" * 32, b"") for _ in range(2))
    assert one[: suite.encapsulation] != two[: suite.encapsulation]
    assert one[suite.encapsulation :] != two[suite.encapsulation :]


@both
def test_bytes_that_are_no_key_are_refused(suite):
    """Keys of other lengths, points of low order and numbers out of range are KeyRefused."""
    for public in (
        b"",
        bytes(suite.public_length),
        bytes(suite.public_length - 1),
        b"\xff" * (suite.public_length + 1),
    ):
        with pytest.raises(KeyRefused):
            hpke.encrypt(suite, public, b"k" * 32, b"")
    for private in (b"", bytes(31), bytes(33)):
        with pytest.raises(KeyRefused):
            hpke.public_bytes(suite, private)


def test_an_ml_kem_key_with_numbers_out_of_range_is_refused():
    """The encapsulation key check of FIPS 203 is carried out."""
    with pytest.raises(KeyRefused):
        hpke.encrypt(Suite.MLKEM768_X25519, b"\xff" * 1216, b"k" * 32, b"")
