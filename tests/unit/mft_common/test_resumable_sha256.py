"""A SHA-256 that is continued from its stored state."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mft_common import resumable_sha256
from mft_common.resumable_sha256 import ResumableSha256, new_sha256, readable, state_of


@given(st.lists(st.binary(max_size=300), max_size=8))
def test_it_is_hashlibs_digest_however_often_it_is_continued(blocks):
    """Each block is digested by an object of its own, which continues the state of the last one."""
    state = b""
    for block in blocks:
        digest = ResumableSha256(state)
        digest.update(memoryview(block))
        state = digest.state
    digest = ResumableSha256(state)
    assert digest.digest() == digest.digest() == hashlib.sha256(b"".join(blocks)).digest()
    assert digest.hexdigest() == hashlib.sha256(b"".join(blocks)).hexdigest()


def test_a_copy_goes_its_own_way():
    """Neither the copy nor a digest that was read changes the original."""
    digest = new_sha256()
    digest.update(b"abc")
    copy = digest.copy()
    copy.update(b"d")
    assert (digest.hexdigest(), copy.hexdigest()) == tuple(
        hashlib.sha256(text).hexdigest() for text in (b"abc", b"abcd")
    )


def test_more_bits_are_counted_than_one_word_holds():
    """The count of bits has two words; the second one is stored too."""
    block = bytes(1 << 20)
    digest, known = ResumableSha256(), hashlib.sha256()
    for _ in range(520):
        digest.update(block)
        known.update(block)
    digest = ResumableSha256(digest.state)
    digest.update(b"end")
    known.update(b"end")
    assert digest.hexdigest() == known.hexdigest()


@pytest.mark.parametrize("state", [None, b"", b"x" * 119, b"other:" + bytes(112), new_sha256().state[:-1]])
def test_what_is_no_state_is_not_continued(state):
    """A state of another byte order or another size is not read."""
    assert not readable(state)
    assert readable(new_sha256().state)


def test_hashlibs_own_digest_has_no_state(monkeypatch):
    """Where OpenSSL's functions are missing, digests are hashlib's and begin anew."""
    monkeypatch.setattr(resumable_sha256, "AVAILABLE", False)
    digest = new_sha256()
    digest.update(b"abc")
    assert (digest.hexdigest(), state_of(digest)) == (hashlib.sha256(b"abc").hexdigest(), b"")
    assert not readable(ResumableSha256().state)
