"""SHA-256 and MD5 that are continued from their stored states."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mft_common import resumable_digests
from mft_common.resumable_digests import (
    ResumableMd5,
    ResumableSha256,
    md5_readable,
    new_md5,
    new_sha256,
    readable,
    state_of,
)

KINDS = pytest.mark.parametrize("kind", [ResumableSha256, ResumableMd5])


def known_of(kind, content=b""):
    """Return hashlib's digest of the same kind."""
    return hashlib.new(kind.name, content, usedforsecurity=False)


@KINDS
@given(blocks=st.lists(st.binary(max_size=300), max_size=8))
def test_it_is_hashlibs_digest_however_often_it_is_continued(kind, blocks):
    """Each block is digested by an object of its own, which continues the state of the last one."""
    state = b""
    for block in blocks:
        digest = kind(state)
        digest.update(memoryview(block))
        state = digest.state
    digest = kind(state)
    assert digest.digest() == digest.digest() == known_of(kind, b"".join(blocks)).digest()
    assert digest.hexdigest() == known_of(kind, b"".join(blocks)).hexdigest()


@pytest.mark.parametrize("new", [new_sha256, new_md5])
def test_a_copy_goes_its_own_way(new):
    """Neither the copy nor a digest that was read changes the original."""
    digest = new()
    digest.update(b"abc")
    copy = digest.copy()
    copy.update(b"d")
    assert (digest.hexdigest(), copy.hexdigest()) == tuple(
        known_of(type(digest), text).hexdigest() for text in (b"abc", b"abcd")
    )


@KINDS
def test_more_bits_are_counted_than_one_word_holds(kind):
    """The count of bits has two words; the second one is stored too."""
    block = bytes(1 << 20)
    digest, known = kind(), known_of(kind)
    for _ in range(520):
        digest.update(block)
        known.update(block)
    digest = kind(digest.state)
    digest.update(b"end")
    known.update(b"end")
    assert digest.hexdigest() == known.hexdigest()


@pytest.mark.parametrize("state", [None, b"", b"x" * 119, b"other:" + bytes(112), new_sha256().state[:-1]])
def test_what_is_no_state_is_not_continued(state):
    """A state of another byte order or another size is not read."""
    assert not readable(state)
    assert not md5_readable(state)
    assert readable(new_sha256().state)
    assert md5_readable(new_md5().state)


def test_hashlibs_own_digest_has_no_state(monkeypatch):
    """Where OpenSSL's functions are missing, digests are hashlib's and begin anew."""
    monkeypatch.setattr(resumable_digests, "AVAILABLE", False)
    monkeypatch.setattr(resumable_digests, "MD5_AVAILABLE", False)
    assert state_of(new_md5()) == b""
    assert not md5_readable(ResumableMd5().state)
    digest = new_sha256()
    digest.update(b"abc")
    assert (digest.hexdigest(), state_of(digest)) == (hashlib.sha256(b"abc").hexdigest(), b"")
    assert not readable(ResumableSha256().state)
