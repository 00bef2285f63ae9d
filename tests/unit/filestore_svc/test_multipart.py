import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filestore_svc.errors import BadSyntax
from filestore_svc.wire import multipart
from filestore_svc.wire.bodies import IncompleteBody, blocks, receive_form
from filestore_svc.wire.multipart import boundary_of
from filestore_svc.wire.parameters import parameters

BOUNDARY = b"XbX"
HEAD = b'Content-Disposition: form-data; name="file"; filename="a.txt"\r\nContent-Type: text/plain'


def _body(content, head=HEAD):
    return b"--XbX\r\n" + head + b"\r\n\r\n" + content + b"\r\n--XbX--\r\n"


class _Collector:
    def __init__(self):
        self.bytes = b""

    def write(self, block):
        self.bytes += bytes(block)


def _receive(pieces, boundary=BOUNDARY):
    sink = _Collector()
    form = receive_form(iter(pieces), boundary, lambda _head: sink)
    return form, sink.bytes


def _split(data, cuts):
    edges = [0, *sorted(cuts), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges) if b > a]


CONTENTS = [
    b"",
    b"abc",
    b"\r",
    b"\n",
    b"\r\n",
    b"\r\n\r\n--Xb",
    b"\r\n--Xb",
    b"\r\n--Xb\r\n--Xb",
    b"\n--XbX\n",
    b"\r--XbX--\r",
    b"\r\n--XbXy\r\n",
    b"\r\n--XbX" + b" " * 100 + b"\r\nx",
    b"\r\r\n\n",
]


@pytest.mark.parametrize("content", CONTENTS)
def test_content_comes_back_at_every_cut(content):
    """Content that looks like a boundary survives, wherever a read ends."""
    whole = _body(content)
    for cut in range(len(whole) + 1):
        assert _receive(_split(whole, [cut]))[1] == content, cut
    assert _receive([bytes([byte]) for byte in whole])[1] == content


@given(
    st.lists(st.sampled_from([b"\r", b"\n", b"-", b"--", b"X", b"Xb", b"XbX", b"a", b" "]), max_size=30).map(b"".join),
    st.lists(st.integers(0, 300), max_size=6),
)
@settings(max_examples=300)
def test_any_content_survives_any_cuts(content, cuts):
    """The bytes of every content come back for every division into reads, unless they hold the boundary itself."""
    if b"\r\n--XbX" not in b"\r\n" + content:
        whole = _body(content)
        assert _receive(_split(whole, {min(cut, len(whole)) for cut in cuts}))[1] == content


@pytest.mark.parametrize("content", [b"hello", b"\r\n--Xb"])
def test_every_prefix_of_a_body_is_refused(content):
    """A body without its final boundary is no body."""
    whole = _body(content)
    for end in range(whole.index(b"--XbX--") + 7):
        with pytest.raises(BadSyntax):
            _receive([whole[:end]])


def test_a_part_without_a_blank_line_is_empty():
    """A part that holds nothing may end right after its head, wherever a read ends."""
    whole = b"--XbX\r\n" + HEAD + b"\r\n\r\n--XbX--"
    for cut in range(len(whole) + 1):
        assert _receive(_split(whole, [cut]))[1] == b""


def test_the_head_of_the_file():
    """The head has the file name and the type of the part."""
    form, _ = _receive([_body(b"x")])
    assert form.file.filename == "a.txt"
    assert form.file.headers["content-type"] == "text/plain"
    assert form.metadata is None


def test_metadata_beside_the_file_and_other_parts_skipped():
    """`metadata` is collected, other names are passed over, in any order."""
    parts = [
        b'Content-Disposition: form-data; name="other"\r\n\r\nignored',
        HEAD + b"\r\n\r\nbytes",
        b'Content-Disposition: form-data; name="metadata"\r\n\r\n{"a":"b"}',
    ]
    data = b"".join(b"\r\n--XbX\r\n" + part for part in parts) + b"\r\n--XbX--"
    form, content = _receive([data])
    assert (content, form.metadata) == (b"bytes", b'{"a":"b"}')


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"--XbX--\r\n",
        _body(b"x").replace(b'name="file"', b'name="data"'),
        _body(b"x")[:-11] + b"\r\n" + _body(b"y"),
        _body(b"x", b"Content-Type: text/plain"),
        _body(b"x", b"no colon"),
        _body(b"x", b'Content-Disposition: form-data; name="file"; filename="\xff"'),
        _body(b"x", HEAD + b"\r\nX: " + b"y" * 20_000),
        b"\r\n--XbX\r\n".join([b""] + [b'Content-Disposition: form-data; name="o"\r\n\r\n'] * 9) + _body(b"x"),
        b"p" * 20_000 + b"\r\n" + _body(b"x"),
        _body(b"x") + b"e" * 20_000,
    ],
)
def test_bodies_that_are_none(data):
    """No file, two files, broken heads, too many parts or too much around them: E-SYN."""
    with pytest.raises(BadSyntax):
        _receive([data])


@pytest.mark.parametrize(
    "value",
    [
        "multipart/form-data; boundary=XbX",
        'multipart/form-data; charset=x; boundary="XbX"',
        "Multipart/Form-Data;boundary=XbX",
        "multipart/form-data; boundary = XbX ;",
    ],
)
def test_boundaries(value):
    """A boundary may be quoted, and stand beside other parameters."""
    assert boundary_of(value) == BOUNDARY


def test_a_boundary_with_characters_that_should_be_quoted():
    """Mail libraries send `----=_Part` unquoted: all of it is the boundary, and not only the part before the `=`."""
    assert boundary_of("multipart/form-data; boundary=----=_Part_1.2") == b"----=_Part_1.2"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "text/plain",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/mixed; boundary=x",
        "multipart/form-data; boundary=a b",
        "multipart/form-data; boundary=a, multipart/form-data; boundary=b",
        "multipart/form-data; boundary=" + "x" * 300,
    ],
)
def test_no_boundary(value):
    """Without a usable boundary there is nothing to read."""
    with pytest.raises(BadSyntax):
        boundary_of(value)


class _Stream:
    def __init__(self, data, error=None):
        self.data, self.error = data, error

    def read(self, size):
        if not self.data and self.error:
            raise self.error
        block, self.data = self.data[:size], self.data[size:]
        return block


def test_a_short_body_is_cut():
    """Fewer bytes than declared are a cut body, with or without an error of the server."""
    assert b"".join(blocks(_Stream(b"abc"), 3)) == b"abc"
    assert b"".join(blocks(_Stream(b"abc"), None)) == b"abc"
    with pytest.raises(IncompleteBody):
        list(blocks(_Stream(b"abc"), 4))
    with pytest.raises(IncompleteBody):
        list(blocks(_Stream(b"abc", OSError("gone")), None))


PIECES = st.sampled_from(
    (
        *("form-data", "multipart/form-data", "boundary=", "name=", "filename=", "; ", ";"),
        *('"', "a", "\u00e9", "\\", "%22", "'", "=", " ", "-", "X"),
    )
)


@given(
    st.lists(PIECES, max_size=6).map("".join),
    st.sampled_from(('form-data; name="{}"', 'form-data; name="file"; filename="{}"', "{}")),
)
def test_plain_dispositions_are_read_as_all_others_are(text, shape):
    """The regular expression for the common form gives the names that the reader of parameters gives."""
    value = shape.format(text)
    try:
        kind, options = parameters(value)
        wanted = (options["name"], options.get("filename")) if kind.lower() == "form-data" else None
    except (BadSyntax, KeyError):
        wanted = None
    try:
        head = multipart._head_of(f"Content-Disposition: {value}".encode())
    except BadSyntax:
        assert wanted is None
    else:
        assert (head.name, head.filename) == wanted


@given(st.lists(PIECES, max_size=6).map("".join), st.sampled_from(("multipart/form-data; boundary={}", "{}")))
def test_plain_boundaries_are_read_as_all_others_are(text, shape):
    """The regular expression for the common form gives the boundary that the reader of parameters gives."""
    value = shape.format(text)
    try:
        kind, options = parameters(value)
        wanted = options["boundary"] if kind.lower() == "multipart/form-data" else ""
    except (BadSyntax, KeyError):
        wanted = ""
    try:
        assert boundary_of(value) == wanted.encode()
    except BadSyntax:
        assert not (wanted and wanted.isascii() and wanted.isprintable())
