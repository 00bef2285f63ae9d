"""Protected files that both readers refuse: changed, cut, composed of parts, or made in another form."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mft_common.transfer.steps.sealed import NotAuthentic, NotSealed, SealedHeader, Unseal
from tests.unit.mft_common import second_sealed as second
from tests.unit.mft_common.sealed_files import FULL, PRIVATE, crafted, seal, unseal


def is_refused(data):
    """Return whether both readers refuse the bytes; they must agree."""
    try:
        unseal(data)
    except (NotSealed, NotAuthentic):
        with pytest.raises(second.Refused):
            second.read(PRIVATE, data)
        return True
    second.read(PRIVATE, data)
    return False


@settings(max_examples=300)
@given(data=st.data(), size=st.sampled_from([0, 5, FULL - 1, FULL, FULL + 7]))
def test_96_any_single_change_fails(data, size):
    """A changed, removed or added byte anywhere is refused by both readers."""
    whole = bytearray(seal(bytes(size)))
    at = data.draw(st.one_of(st.integers(0, 300), st.integers(0, len(whole) - 1)).filter(lambda one: one < len(whole)))
    kind = data.draw(st.sampled_from(["change", "remove", "add"]))
    if kind == "change":
        whole[at] ^= data.draw(st.integers(1, 255))
    elif kind == "remove":
        del whole[at]
    else:
        whole.insert(at, data.draw(st.integers(0, 255)))
    assert is_refused(bytes(whole))


def test_96_each_bit_of_the_header_and_the_metadata_counts():
    """No bit before the content is without meaning."""
    whole = seal(b"x")
    for bit in range(8 * len(whole)):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises((NotSealed, NotAuthentic)):
            unseal(changed)


def edges_of(data):
    """Return the places between header, metadata and chunks, the end included."""
    header = SealedHeader.parse(data)
    start = header.length + header.metadata_length + 16
    return [0, 8, 40, header.length, *range(start, len(data), FULL + 16), len(data)]


@pytest.mark.parametrize("size", [0, 100, FULL, 3 * FULL, 3 * FULL + 9])
def test_96_b34_a_cut_at_or_beside_each_edge_fails(size):
    """A file that ends at an edge, or one byte before or after it, is refused by both readers."""
    data = seal(bytes(size))
    cuts = {at + offset for at in edges_of(data) for offset in (-1, 0, 1) if 0 <= at + offset < len(data)}
    assert len(cuts) > 10
    for cut in cuts:
        assert is_refused(data[:cut]), cut


def test_96_b34_chunks_that_are_swapped_repeated_or_left_out_fail():
    """Each order of the chunks but the right one is refused, with the same number of them and with another."""
    data = seal(bytes(4 * FULL + 5))
    *_, start, one, two, three, last, end = edges_of(data)
    chunks = [data[a:b] for a, b in ((start, one), (one, two), (two, three), (three, last), (last, end))]
    a, b, c, d, e = chunks
    head = data[:start]
    for wrong in (
        [b, a, c, d, e], [a, c, b, d, e], [a, b, c, e, d], [a, a, c, d, e], [a, b, c, d, d], [a, b, c, d, e, e],
        [b, c, d, e], [a, b, c, e], [a, b, c, d], [e], [e, a, b, c, d], [a, a, b, c, d, e], [],
    ):  # fmt: skip
        assert is_refused(head + b"".join(wrong)), [chunks.index(one) for one in wrong]
    assert unseal(head + b"".join(chunks))[1] == bytes(4 * FULL + 5)


def test_96_the_header_of_another_file_fails():
    """Header, header with metadata, wrapped key and metadata of another file of the same content are refused."""
    one, two = seal(b"same"), seal(b"same")
    *_, header, start, _ = edges_of(one)
    for data in (one[:header] + two[header:], one[:start] + two[start:], one[:40] + two[40:]):
        assert is_refused(data)
    assert is_refused(one[:header] + two[header:start] + one[start:])


@pytest.mark.parametrize(
    ("chunks", "lasts", "size"),
    [
        ([b"x" * 100, b"y"], None, 101),
        ([b"x" * FULL, b""], None, FULL),
        ([b"x" * FULL, b"y" * 5], [1, 1], FULL + 5),
        ([b"x" * FULL, b"y" * 5], [0, 0], FULL + 5),
        ([b"x" * 5], [0], 5),
        ([b"x" * FULL], None, FULL - 1),
        ([b"x" * FULL], None, FULL + 1),
        ([b"x" * 5], None, 4),
        ([b"x" * 5], None, 6),
        ([b""], None, 1),
        ([b"x" * 5], None, 0),
        ([b"x" * (FULL + 1)], None, FULL + 1),
    ],
    ids=str,
)
def test_96_authentic_chunks_of_a_wrong_form_are_refused(chunks, lasts, size):
    """A file whose maker had the key is refused where its chunks are not those of its size."""
    clear = second.metadata("a", b"", size=size)
    with pytest.raises(NotAuthentic):
        unseal(crafted(clear, chunks, lasts=lasts))


@pytest.mark.parametrize(
    ("at", "value"),
    [(0, b"\x88"), (8, b"\0"), (8, b"\2"), (9, b"\0"), (9, b"\3"), (9, b"\2"), (10, b"\0\0"), (10, b"\0\x77"),
     (10, b"\0\x79"), (10, b"\4\xb8"), (12, b"\0\0\0\0"), (12, b"\0\1\0\1"), (12, b"\xff\xff\xff\xff"), (39, b"\1")],
)  # fmt: skip
def test_96_an_unknown_header_is_no_protected_file(at, value):
    """Unknown magic, version and suite, and numbers out of range, are told before a key is looked for."""
    first = bytearray(crafted(second.metadata("a", b"x"), [b"x"])[:40])
    first[at : at + len(value)] = value

    def never(_header, _wrapped):
        raise AssertionError("a key was asked for")

    data = crafted(second.metadata("a", b"x"), [b"x"], fixed=bytes(first))
    with pytest.raises(NotSealed):
        list(Unseal(never).feed(data))


@pytest.mark.parametrize(
    "changed",
    [
        {"name": ""}, {"name": 5}, {"name": "a/b"}, {"name": "a\0"}, {"name": "\ud800"}, {"name": None}, {"size": -1},
        {"size": 1.0}, {"size": True}, {"size": "1"}, {"size": 1 << 50}, {"mtime_ns": "1"}, {"mtime_ns": 1 << 63},
        {"mtime_ns": False}, {"protected": 5}, {"protected": "soon"}, {"name": "x" * 1025},
    ],
    ids=lambda changed: repr(changed)[:24],
)  # fmt: skip
def test_96_authentic_metadata_of_another_form_are_refused(changed):
    """Nothing of a wrong type or range reaches a caller, whoever has made the file."""
    with pytest.raises(NotSealed):
        unseal(crafted(second.metadata("a", b"x", **changed), [b"x"]))


@pytest.mark.parametrize("clear", [b"{}", b"[]", b"null", b"\xff", b"{", b"[" * 60_000, b"1" * 5000, b"\xef\xbb\xbf{}"])
def test_96_metadata_that_are_no_such_object_are_refused(clear):
    """Deep, long and broken JSON is an error of the file and not of the process."""
    with pytest.raises(NotSealed):
        unseal(crafted(clear, [b""]))
