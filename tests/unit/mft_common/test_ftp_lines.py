"""Listings of FTP servers, as servers write them, and line ends of type ASCII."""

import random

import pytest

from mft_common.endpoints.ftp.lines import Line, format_time, parse_facts, parse_list, parse_time
from mft_common.endpoints.ftp.text import FromNetwork, ToNetwork

CANNED = {
    # vsftpd and other servers on Unix
    "-rw-r--r--    1 ftp      ftp          1234 Jan 12 07:08 report.csv": Line("report.csv", "file", 1234),
    "-rw-r--r--    1 ftp      ftp          1234 Jan 12  2019 old file.csv": Line("old file.csv", "file", 1234),
    "drwxr-xr-x    2 ftp      ftp          4096 Jan 12 07:08 sub folder": Line("sub folder", "folder"),
    "-rw-rw-rw-   1 partner  domain users       77 Jan 12 07:08 a.csv": Line("a.csv", "file", 77),
    "-rw-r--r--    1 ftp      ftp             5 Jan 12 07:08  lead": Line(" lead", "file", 5),
    "-rw-r--r--    1 ftp      ftp             5 Jan 12 07:08 trail ": Line("trail ", "file", 5),
    "-rw-r--r--    1 ftp      ftp             5 Jan 12 07:08 Jan 12 07:08": Line("Jan 12 07:08", "file", 5),
    "-rw-r--r--    1 ftp      ftp             5 Jan 12 07:08 a -> b": Line("a -> b", "file", 5),
    "lrwxrwxrwx    1 ftp      ftp             1 Jan 12 07:08 a -> b": Line("a", "link"),
    "-rw-r--r--    1 ftp      ftp             5 Jan 12 07:08 two  blanks": Line("two  blanks", "file", 5),
    "-rw-r--r--    1 0        0    107374182400 Dec  1 23:59 big": Line("big", "file", 107374182400),
    "-rw-r--r--+   1 ftp      ftp             5 Jan 12 07:08 acl": Line("acl", "file", 5),
    "-rw-r--r--.   1 ftp      ftp             5 2019-01-12 07:08 iso": Line("iso", "file", 5),
    "-rw-r--r--    1 ftp      ftp             5 12 Jan 07:08 day first": Line("day first", "file", 5),
    "-rw-r--r--    1 ftp      ftp             5 Jan 12 07:08 \udcff": Line("\udcff", "file", 5),
    "-rw-r--r--    1 ftp      ftp             5 Jan 12 07:08 12 Jan 12 07:08 x": Line("12 Jan 12 07:08 x", "file", 5),
    "crw-rw----    1 root     root       4,  64 Jan 12 07:08 ttyS0": Line("ttyS0", "special"),
    "prw-r--r--    1 ftp      ftp             0 Jan 12 07:08 pipe": Line("pipe", "special"),
    "drwxr-xr-x    2 ftp      ftp          4096 Jan 12 07:08 .": Line(".", "itself"),
    "drwxr-xr-x    2 ftp      ftp          4096 Jan 12 07:08 ..": Line("..", "itself"),
    "total 12": Line("", "itself"),
    # IIS and other servers on Windows
    "01-12-20  07:08AM       <DIR>          sub folder": Line("sub folder", "folder"),
    "01-12-20  07:08AM       <DIR>           lead": Line(" lead", "folder"),
    "01-12-2020  07:08PM                 1234 a b.csv": Line("a b.csv", "file", 1234),
    "01-12-20  07:08PM                 1234  lead": Line(" lead", "file", 1234),
    "01-12-20  19:08                   1234 a -> b": Line("a -> b", "file", 1234),
    "01-12-20  07:08AM       <JUNCTION>     elsewhere": Line("elsewhere", "link"),
    # neither
    "+i8388621.48594,m825718503,r,s280,\tdjb.html": None,
    "no such folder": None,
}


@pytest.mark.parametrize("text", CANNED)
def test_lines_of_list(text):
    """A name is the rest of its line, whatever it holds; no line gives a time (B13)."""
    assert parse_list(text) == CANNED[text]


def test_lines_of_mlsd():
    """A name is what follows the first blank after the facts; times are UTC and versions hold all that is known."""
    line = parse_facts("type=file;size=5;modify=20200912121523.250;unique=802g1;  a -> b; c=d ")
    assert (line.name, line.kind, line.size) == (" a -> b; c=d ", "file", 5)
    assert line.modified_at == 1_599_912_923_250
    assert line.version == "5:20200912121523.250:802g1"
    assert parse_facts("Type=DIR;Modify=20200912121523; sub") == Line("sub", "folder", None, 1_599_912_923_000)
    assert parse_facts("type=cdir; .").kind == "itself"
    assert parse_facts("type=OS.unix=slink:/x;size=5; l").kind == "link"
    assert parse_facts("type=file;size=5; x").version == ""
    assert parse_facts("total 5") is None
    assert parse_facts("type=file;") is None


def test_times():
    """A time goes to the server in whole seconds of UTC; what is no time is none."""
    assert parse_time(format_time(1_599_912_923_250)) == 1_599_912_923_000
    assert parse_time("20201301000000") is None
    assert parse_time("Jan 12 07:08") is None
    assert parse_time("") is None


@pytest.mark.parametrize("seed", range(50))
def test_line_ends_are_the_same_wherever_blocks_are_cut(seed):
    """Each LF becomes CR LF and comes back as LF; a CR LF stays one, and other CRs stay as they are."""
    draw = random.Random(seed)
    text = bytes(draw.choice(b"ab\r\n") for _ in range(draw.randrange(40)))
    out, back = ToNetwork(), FromNetwork()
    sent = b"".join(out.feed(block) for block in cut(draw, text))
    assert sent == text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    received = b"".join(back.feed(block) for block in cut(draw, sent)) + back.finish()
    assert received == sent.replace(b"\r\n", b"\n")


def cut(draw, content):
    """Yield the content in blocks of 1 to 3 bytes."""
    while content:
        size = draw.randrange(1, 4)
        yield content[:size]
        content = content[size:]
