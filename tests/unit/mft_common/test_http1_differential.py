"""Generated request heads and chunked bodies through our parser and through `h11`; every difference has a reason here.

Where the two parsers differ over a message, the label of one of its odd parts must be in the table that says which of
the two refuses, and why.
"""

import random

import h11
import pytest

from mft_common.http1.chunks import ChunkDecoder, MalformedChunks
from mft_common.http1.request_head import RequestHeadError, parse_request_head
from tests.unit.mft_common.http1_messages import make_body, make_head

HEADS = 12_000
BODIES = 8_000
BATCHES = 8

# Refused by us, taken by h11.
STRICTER = {
    "a method with lower-case letters": "Flask would run it as the method in upper case",
    "a short or long method": "the gunicorn of a service refuses it",
    "a fragment": "no client sends one, and services would cut it off",
    "a target of another form": "only paths, http URLs and OPTIONS * are for us",
    "another version": "only 1.0 and 1.1 are spoken",
    "a bare line feed": "another reader could see the line, and so the request, end elsewhere",
    "a folded field": "another reader could see two fields",
    "a control character": "nothing but a tab belongs into a field",
    "a malformed host": "a URL is built of it",
    "a length twice": "one of two lengths is meant for another reader",
    "chunks in HTTP/1.0": "that version has none",
    "chunks and a length": "another reader could go by the other one",
    "a field twice": "another reader could take the other one",
    "a long length": "no file is that large, and other readers keep 64 bits",
    "a blank after a size": "the grammar has none",
    "a malformed extension": "another reader could see the chunk end elsewhere",
    "a size of 16 digits": "no chunk is that large, and other readers keep 64 bits",
}
# Refused by h11, taken by us.
LAXER = {
    "bytes from 0x80 in a target": "scripts send names with umlauts as they are",
    "a blank before an extension": "the grammar allows it (RFC 9112, 7.1.1)",
}


def key(name):
    """Return the environment's key for a field."""
    text = name.decode().upper().replace("-", "_")
    return text if text in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{text}"


def ours(raw):
    """Return how we read a head, None where we refuse it."""
    try:
        head = parse_request_head(raw, 100)
    except RequestHeadError:
        return None
    fields = {name: value for name, value in head.environ.items() if name.startswith(("HTTP_", "CONTENT_"))}
    if head.chunked:
        fields["HTTP_TRANSFER_ENCODING"] = fields["HTTP_TRANSFER_ENCODING"].lower()
    # An absolute target wins over the field; h11 does not look into targets.
    if not head.environ["RAW_URI"].startswith("/"):
        fields.pop("HTTP_HOST", None)
    return {
        "method": head.method,
        "target": head.environ["RAW_URI"],
        "version": f"1.{head.minor}",
        "fields": fields,
        "length": None if head.chunked else head.length,
        "keep": head.keep_alive if head.minor else None,
    }


def theirs(raw):
    """Return how h11 reads a head, None where it refuses it or waits for more."""
    connection = h11.Connection(h11.SERVER)
    try:
        connection.receive_data(raw)
        event = connection.next_event()
    except h11.RemoteProtocolError:
        return None
    if not isinstance(event, h11.Request):
        return None
    fields = {}
    for name, value in event.headers.raw_items():
        if b"_" in name:
            continue
        text = value.decode("latin-1")
        glue = "; " if key(name) == "HTTP_COOKIE" else ","
        fields[key(name)] = f"{fields[key(name)]}{glue}{text}" if key(name) in fields else text
    chunked = fields.get("HTTP_TRANSFER_ENCODING") == "chunked"
    if "CONTENT_LENGTH" in fields:
        fields["CONTENT_LENGTH"] = str(int(fields["CONTENT_LENGTH"]))
    target = event.target.decode("latin-1")
    if not target.startswith("/"):
        fields.pop("HTTP_HOST", None)
    version = event.http_version.decode()
    return {
        "method": event.method.decode(),
        "target": target,
        "version": version,
        "fields": fields,
        "length": None if chunked else int(fields.get("CONTENT_LENGTH", 0)),
        "keep": connection._cstate.keep_alive if version == "1.1" else None,
    }


def our_body(raw, random_):
    """Return the data of a body and the bytes after it as we read them in pieces, None where we refuse it."""
    pieces = []
    while raw:
        size = random_.choice([1, 3, 50, 1000])
        pieces.append(raw[:size])
        raw = raw[size:]
    decoder = ChunkDecoder(lambda _size: pieces.pop(0) if pieces else b"", b"")
    try:
        data = b"".join(iter(lambda: decoder.read(100), b""))
    except MalformedChunks:
        return None
    return data, decoder.rest + b"".join(pieces)


def their_body(raw):
    """Return the same as h11 reads it."""
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + raw)
    data = b""
    try:
        assert isinstance(connection.next_event(), h11.Request)
        while isinstance(event := connection.next_event(), h11.Data):
            data += event.data
    except h11.RemoteProtocolError:
        return None
    return (data, connection.trailing_data[0]) if isinstance(event, h11.EndOfMessage) else None


def compare(message, mine, other):
    """Return the labels that explain a difference; fail where none does."""
    if mine == other:
        return set()
    if mine is None:
        reasons = message.labels & STRICTER.keys()
    elif other is None:
        reasons = message.labels & LAXER.keys()
    else:
        reasons = set()
    assert reasons, (message, mine, other)
    return reasons


@pytest.mark.parametrize("batch", range(BATCHES))
def test_heads_are_read_as_h11_reads_them(batch):
    """Method, target, version, fields, framing and the fate of the connection are the same, or the head is refused."""
    random_ = random.Random(batch)
    same = refused = 0
    for _ in range(HEADS // BATCHES):
        message = make_head(random_)
        mine = ours(message.raw)
        compare(message, mine, theirs(message.raw))
        same += mine is not None
        refused += mine is None
    assert min(same, refused) > HEADS // BATCHES // 5


@pytest.mark.parametrize("batch", range(BATCHES))
def test_bodies_are_read_as_h11_reads_them(batch):
    """Data and the bytes after it are the same, or the body is refused."""
    random_ = random.Random(1000 + batch)
    same = refused = 0
    for _ in range(BODIES // BATCHES):
        message = make_body(random_)
        mine = our_body(message.raw, random_)
        compare(message, mine, their_body(message.raw))
        same += mine is not None
        refused += mine is None
    assert min(same, refused) > BODIES // BATCHES // 8


def test_every_reason_is_one():
    """A reason that explains no difference any more is taken out of the table."""
    used = set()
    random_ = random.Random(7)
    for _ in range(4000):
        head, body = make_head(random_), make_body(random_)
        used |= compare(head, ours(head.raw), theirs(head.raw))
        used |= compare(body, our_body(body.raw, random_), their_body(body.raw))
    assert used == STRICTER.keys() | LAXER.keys()
