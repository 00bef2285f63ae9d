"""Text mode: encodings and line ends, in blocks that are cut anywhere (B31)."""

import encodings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mft_common.transfer.steps.text import BadText, Text, UnknownEncoding

SIZES = range(1, 8)
ENDS = {"lf": "\n", "crlf": "\r\n", "nel": "\x85"}
# Encodings of one, two and more bytes, with shift states and byte order marks, and EBCDIC.
WIDE = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "gb18030")
NARROW = ("latin-1", "cp037", "cp500", "cp1047", "cp1140", "cp273")
JAPANESE = ("shift_jis", "euc_jp", "iso2022_jp", "cp932")


def through(step, data, size):
    """Return what a step makes of data that arrives in blocks of `size` bytes."""
    made = [part for start in range(0, len(data), size) for part in step.feed(data[start : start + size])]
    made += step.finish()
    step.close()
    return b"".join(made)


def encoded(text, encoding):
    return through(Text("utf-8", encoding), text.encode(), 1 << 16)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("encoding", [*WIDE, *NARROW, *JAPANESE])
def test_every_encoding_survives_the_way_there_and_back_in_blocks_of_every_size(encoding, size):
    """Characters that a block cuts in two come out whole."""
    text = "Zeile 1\nABC [x] ^ 12\n"
    if encoding in JAPANESE:
        text += "日本語テキスト\n"
    if encoding in WIDE:
        text += "äöü € 😀\n"
    there = through(Text("utf-8", encoding), text.encode(), size)
    if encoding != "cp1047":
        assert there.decode(encoding) == text
    assert through(Text(encoding, "utf-8"), there, size).decode() == text


@given(
    text=st.text(alphabet=st.sampled_from("ab\r\n\x85é€\U0001f600 "), max_size=40),
    size=st.integers(1, 7),
    encodings=st.tuples(st.sampled_from(WIDE), st.sampled_from(WIDE)),
    to_ends=st.sampled_from(["lf", "crlf", "nel", None]),
    from_ends=st.sampled_from(["lf", "crlf", "nel", "any"]),
)
def test_the_blocks_never_change_the_result(text, size, encodings, to_ends, from_ends):
    """A cut inside a character or between CR and LF gives the same bytes as one block."""
    source, target = encodings
    data = text.encode(source)
    whole = through(Text(source, target, from_ends=from_ends, to_ends=to_ends), data, max(1, len(data)))
    assert through(Text(source, target, from_ends=from_ends, to_ends=to_ends), data, size) == whole
    expected = text
    if to_ends is not None:
        for end in ("\r\n", "\n", "\x85") if from_ends == "any" else (ENDS[from_ends],):
            expected = expected.replace(end, "\0")
        expected = expected.replace("\0", ENDS[to_ends])
    assert whole.decode(target) == expected


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("to_ends", "made"),
    [("lf", b"\xc1\x25\xc2\x25\xc3\x25\x0d\xc4"), ("crlf", b"\xc1\r\x25\xc2\r\x25\xc3\r\x25\r\xc4"),
     ("nel", b"\xc1\x15\xc2\x15\xc3\x15\x0d\xc4")],
)  # fmt: skip
@pytest.mark.parametrize("encoding", ["cp037", "cp500", "cp1047"])
def test_the_line_ends_of_ebcdic_are_0x15_and_0x25(encoding, to_ends, made, size):
    """NEL is 0x15 and LF is 0x25; a CR alone is no line end."""
    assert through(Text("ascii", encoding, to_ends=to_ends), b"A\nB\r\nC\n\rD", size) == made
    assert through(Text(encoding, "ascii", to_ends="lf"), made, size) == b"A\nB\nC\n\rD"


def test_code_page_1047_has_its_own_brackets():
    """The six characters that code page 1047 moves are those of IBM's table."""
    assert encoded("[]^¬Ý¨", "cp1047") == b"\xad\xbd\x5f\xb0\xba\xbb"
    assert through(Text("IBM-1047", "utf-8"), bytes(range(256)), 7).decode().encode("cp037") != bytes(range(256))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("target", ["ascii", "latin-1", "cp1047", "shift_jis"])
def test_a_character_that_the_target_lacks_fails_the_file_and_is_named(target, size):
    """No character is replaced: the error names the line, the character and its place in the source."""
    with pytest.raises(BadText, match=rf"^line 2: U\+1F600 at character 8 does not exist in {target}$") as caught:
        through(Text("utf-8", target, to_ends="crlf"), "one\ntwo 😀 three".encode(), size)
    assert not caught.value.heals


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("to_ends", [None, "lf", "crlf"])
def test_the_place_of_a_character_is_that_in_the_source(to_ends, size):
    """Line ends that get longer or shorter do not move it, nor a CR that is none."""
    text = "a\r\nb\n\rü\r\n\nc😀\n"
    with pytest.raises(BadText, match=r"^line 5: U\+1F600 at character 11 does not exist in latin-1$"):
        through(Text("utf-8", "latin-1", from_ends="lf_or_crlf", to_ends=to_ends), text.encode(), size)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("source", "data", "at"),
    [("utf-8", b"abc\n\xff", 4), ("ascii", b"ab\x80", 2), ("utf-8", b"abcd\xe2\x82", 4), ("utf-16-le", b"a\0b", 2)],
)
def test_bytes_that_are_no_text_of_the_source_fail_the_file(source, data, at, size):
    """The error names the byte, also where the text ends inside a character."""
    with pytest.raises(BadText, match=rf"^byte {at} is no {source} text$"):
        through(Text(source, "utf-8"), data, size)


@pytest.mark.parametrize("name", ["klingon", "base64", "rot13", "zlib", "idna", "charmap", "utf-7", "hz", "", "a\0b"])
def test_names_that_are_no_encodings_of_files_are_refused(name):
    """Codecs of bytes to bytes and Python's own escapes are no encodings of a file."""
    with pytest.raises(UnknownEncoding):
        Text(name, "utf-8")
    with pytest.raises(UnknownEncoding):
        Text("utf-8", name)


def test_spellings_of_encodings_take_no_memory():
    """Python's cache of the spellings that it was asked for does not grow with those of requests."""
    Text("utf-8", "iso8859.1")
    before = len(encodings._cache)
    for number in range(1, 100):
        with pytest.raises(UnknownEncoding):
            Text(f"klingon{number}")
        Text(f"utf{'-' * number}8", f"ISO{' ' * number}8859.1")
    assert len(encodings._cache) == before


def test_a_block_that_grows_is_handed_on_in_blocks():
    """One MiB of Latin-1 is four of UTF-32, in blocks of one at most."""
    step = Text("latin-1", "utf-32-le")
    blocks = list(step.feed(b"\xe4" * (1 << 20)))
    assert max(map(len, blocks)) <= 1 << 20
    assert sum(map(len, blocks)) == 4 << 20
