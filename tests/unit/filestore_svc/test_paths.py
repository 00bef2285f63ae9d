import itertools
import unicodedata
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filestore_svc.domain.paths import ROOT, ancestry, below, canonical, name_of

PREFIX = b"/2.0/files"


def _target(tail):
    return below(PREFIX + tail, PREFIX)


@pytest.mark.parametrize("tail", [b"", b"/"])
def test_the_root_has_no_pieces(tail):
    """An empty rest, or one slash, after the route is the root."""
    assert _target(tail) == ROOT


def test_one_trailing_slash_means_folder():
    """`/in/` names the folder `/in`, and says so."""
    assert _target(b"/in/").pieces == ("in",)
    assert _target(b"/in/").folder
    assert not _target(b"/in").folder


def test_an_encoded_slash_separates():
    """Decoding comes first, and once."""
    assert _target(b"/in%2Fa.txt").pieces == ("in", "a.txt")
    assert _target(b"/in/a%252Fb").pieces == ("in", "a%2Fb")


@pytest.mark.parametrize(
    "piece", [b"..", b".", b"", b"%00", b"a%0ab", b"a%5cb", b"%7f", b"%c2%80", b"%ff", b"%fe", b"a" * 256, b"%ed%a0%80"]
)
def test_refused_pieces(piece):
    """No piece that S6 refuses is a name."""
    found = _target(b"/in/" + piece + b"/x")
    assert found.refused
    assert found.good == 1


def test_255_bytes_are_a_name():
    """The longest name has 255 bytes of UTF-8."""
    assert not _target(b"/in/" + b"a" * 255).refused
    assert _target(b"/in/" + "é".encode() * 128).refused


def test_two_normal_forms_are_one_name():
    """Names are kept in normal form C."""
    assert _target(b"/in/e%CC%81") == _target(b"/in/%C3%A9")


def test_too_many_pieces_are_refused():
    """No path is deeper than the database is asked for."""
    assert _target(b"/a" * 10_000).refused


def test_ancestry():
    """A folder's ancestry begins at the top."""
    assert ancestry(("a", "b", "c")) == ["/a", "/a/b", "/a/b/c"]


def test_every_product_of_traversal_pieces():
    """Every combination of the usual tricks gives harmless names or none."""
    for parts in itertools.product(("%", "25", "2e", "2f", "5c", "00", ".", "/"), repeat=4):
        found = _target(("/in/" + "".join(parts)).encode())
        for name in found.pieces[: found.good]:
            assert name not in ("", ".", "..")
            assert not set(name) & {"/", "\\", "\0"}


@given(st.binary(max_size=300))
def test_a_name_is_its_own_name(raw):
    """An accepted name is accepted again, unchanged, in every percent-encoding of its bytes."""
    name = name_of(raw)
    if name is not None and "/" not in name:
        assert name_of(name.encode()) == name
        assert len(name.encode()) <= 255
        assert unicodedata.is_normalized("NFC", name)
        assert _target(b"/in/" + quote(name, safe="").encode()).pieces == ("in", name)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_canonicaliser(raw):
    """Arbitrary bytes give a target whose good pieces are at most all of its pieces."""
    found = canonical(raw)
    assert 0 <= found.good <= len(found.pieces)
    assert below(PREFIX + quote(raw, safe="/").encode(), PREFIX) == found
