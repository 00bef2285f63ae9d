"""Files become messages and messages become files, whatever blocks the bytes come in (228, 229)."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqmft_svc.domain.submissions import Destination, Source
from mqmft_svc.operations.managed.problems import NotPossible
from mqmft_svc.operations.managed.queues.joining import joined
from mqmft_svc.operations.managed.queues.splitting import Delimited, Sized, Whole, splitter_of

# Few different bytes, so that delimiters occur, overlap, and lie across blocks.
TEXTS = st.binary(max_size=60).map(lambda raw: bytes(byte % 3 + 0x61 for byte in raw))
DELIMITERS = st.binary(min_size=1, max_size=4).map(lambda raw: bytes(byte % 3 + 0x61 for byte in raw))


def split(splitter, blocks):
    """Return the messages of a file that comes in these blocks."""
    found = [body for block in blocks for body in splitter.feed(block)]
    return [*found, *splitter.finish()]


@st.composite
def cut(draw, texts=TEXTS):
    """Return a text, and its blocks cut anywhere."""
    text = draw(texts)
    ends = sorted(draw(st.lists(st.integers(0, len(text)), max_size=8)))
    return text, [text[start:end] for start, end in zip([0, *ends], [*ends, len(text)], strict=True)]


@given(cut(), DELIMITERS)
def test_228_a_delimiter_ends_each_message_wherever_blocks_are_cut(given_text, delimiter):
    """Item 228, `postfix`: as `bytes.split` does with the whole file, without an empty message at the end."""
    text, blocks = given_text
    parts = text.split(delimiter)
    wanted = parts[:-1] if parts[-1] == b"" and len(parts) > 1 else parts
    assert split(Delimited(delimiter, prefix=False, include=False), blocks) == wanted
    kept = split(Delimited(delimiter, prefix=False, include=True), blocks)
    assert b"".join(kept) == text
    assert [one.removesuffix(delimiter) if place < len(parts) - 1 else one for place, one in enumerate(kept)] == wanted


@given(cut(), DELIMITERS)
def test_228_a_prefix_begins_each_message_wherever_blocks_are_cut(given_text, delimiter):
    """Item 228, `prefix`: bytes before the first delimiter are a message as well."""
    text, blocks = given_text
    parts = text.split(delimiter)
    wanted = parts[1:] if parts[0] == b"" and len(parts) > 1 else parts
    assert split(Delimited(delimiter, prefix=True, include=False), blocks) == wanted
    assert b"".join(split(Delimited(delimiter, prefix=True, include=True), blocks)) == text


@given(cut(), st.integers(1, 20))
def test_228_pieces_of_a_size_wherever_blocks_are_cut(given_text, size):
    """Item 228, `size`: each piece is full but the last, and an empty file is one empty message."""
    text, blocks = given_text
    found = split(Sized(size), blocks)
    assert b"".join(found) == text
    assert {len(one) for one in found[:-1]} <= {size}
    assert 0 < len(found[-1]) <= size or found == [b""]
    assert split(Whole(), blocks) == [text]


@given(st.lists(TEXTS, max_size=6), DELIMITERS, st.sampled_from(["", "prefix", "postfix"]))
def test_229_messages_are_joined_with_the_delimiter_on_its_side(bodies, delimiter, position):
    """Item 229: before or after each message, nothing without one."""
    text = ",".join(f"x{byte:02X}" for byte in delimiter)
    source = Source(name="Q", type="queue", delimiter=text, delimiter_position=position)
    wanted = [delimiter + body if position == "prefix" else body + delimiter for body in bodies]
    assert b"".join(joined(source, bodies)) == b"".join(wanted)
    assert b"".join(joined(Source(name="Q", type="queue"), bodies)) == b"".join(bodies)


@given(st.lists(st.binary(max_size=20).map(lambda raw: raw.replace(b"\n", b"")), min_size=1, max_size=8))
def test_228_229_what_was_split_is_joined_to_the_same_file(lines):
    """Items 228 and 229: a file of lines goes through a queue and back."""
    text = b"".join(line + b"\n" for line in lines)
    messages = split(splitter_of(Destination(name="Q", type="queue", delimiter_type="binary", delimiter="x0A")), [text])
    assert messages == lines
    assert b"".join(joined(Source(name="Q", type="queue", delimiter="x0A"), messages)) == text


@pytest.mark.parametrize("splitter", [Whole(10), Delimited(b"\n", prefix=False, include=False, most=10)])
def test_228_a_message_that_is_too_large_is_refused(splitter):
    """Item 228: a message is in memory as a whole, so it has a limit."""
    list(splitter.feed(b"x" * 10))
    with pytest.raises(NotPossible, match="MiB"):
        list(splitter.feed(b"x"))


def test_244_memory_does_not_grow_with_the_file():
    """Item 244: 64 MiB of lines of 100 bytes, and of pieces, in blocks of 1 MiB."""
    block = (b"x" * 99 + b"\n") * 10_486
    for splitter in (Delimited(b"\n", prefix=False, include=True), Sized(1000)):
        tracemalloc.start()
        for _ in range(64):
            for body in splitter.feed(block):
                assert len(body) in (100, 1000)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 8 << 20
