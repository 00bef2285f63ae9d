"""The lines of a program's output: their streams, their limit, and lines that are long or no text."""

import os

from mft_common.process.runner.script_output import LONGEST_LINE, Output, OutputStream

CUT = "The output is cut after"


def split(*blocks, limit=1 << 20, most_lines=None):
    """Return the lines, each with its stream, of blocks that a program writes one after another, and the output."""
    lines = []
    output = Output(limit, lines.extend, most_lines)
    read, write = os.pipe()
    stream = OutputStream("stdout", read, output)
    try:
        for block in blocks:
            os.write(write, block)
            assert stream.read()
        os.close(write)
        stream.end()
    finally:
        os.close(read)
    return [(line.stream, line.text) for line in lines], output


def texts(*blocks):
    """Return the texts of the lines of blocks."""
    return [text for _, text in split(*blocks)[0]]


def test_lines_are_whole_wherever_the_blocks_end():
    """A line is handed over with its end, the last one also without; the end of a line may be that of DOS."""
    assert texts(b"one\ntw", b"o\r\n\n", b"three") == ["one", "two", "", "three"]
    assert texts(b"") == []
    assert texts(b"one\n") == ["one"]


def test_a_line_is_handed_over_as_soon_as_it_ends():
    """The reader has the first line while the second one is being written."""
    lines = []
    read, write = os.pipe()
    stream = OutputStream("stderr", read, Output(100, lines.extend))
    os.write(write, b"first\nsec")
    stream.read()
    assert [line.text for line in lines] == ["first"]
    os.close(write)
    os.close(read)


def test_a_long_line_comes_in_parts_that_end_between_characters():
    """A character of two, three or four bytes is never cut, and no byte is lost."""
    for character in ("é", "€", "𝄞"):
        for shift in range(4):
            line = "x" * shift + character * LONGEST_LINE
            found = texts(line.encode())
            assert "".join(found) == line
            assert all(len(part.encode()) <= LONGEST_LINE for part in found)


def test_bytes_that_are_no_text_are_replaced():
    """U+FFFD stands for what is not UTF-8, also in a line that is all of it."""
    assert texts(b"caf\xe9\n\x80\x80") == ["caf\ufffd", "\ufffd\ufffd"]
    assert set("".join(texts(b"\x80" * 3 * LONGEST_LINE))) == {"\ufffd"}


def test_output_beyond_its_limit_is_dropped_with_one_note():
    """The bytes up to the limit are handed over, those of a line without an end too; both streams share the limit."""
    lines, output = split(b"12345\n", b"67890\n", b"more\n", b"and more\n", limit=9)
    assert lines == [("stdout", "12345"), ("stdout", "678"), ("", "The output is cut after 9 bytes.")]
    assert output.cut
    assert output.take(b"of the other stream") == b""


def test_output_of_the_size_of_its_limit_is_not_cut():
    """The limit is the last size that is whole."""
    lines, output = split(b"1234\n", b"678\n", limit=9)
    assert lines == [("stdout", "1234"), ("stdout", "678")]
    assert not output.cut


def test_lines_beyond_their_limit_are_dropped_with_one_note():
    """Output of empty lines alone would be as many records of a log as it has bytes."""
    lines, output = split(b"\n\n", b"3\n4", b"\nfive\n", b"six\n", limit=100, most_lines=4)
    assert lines == [("stdout", ""), ("stdout", ""), ("stdout", "3"), ("stdout", "4"), ("", f"{CUT} 4 lines.")]
    assert (output.cut, output.take(b"of the other stream")) == (True, b"")
    assert split(b"1\n2\n", b"3\n4\n", limit=100, most_lines=4)[1].cut is False
