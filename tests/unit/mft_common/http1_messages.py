"""Make request heads and chunked bodies at random.

Each message is put together from parts, most of them plain and some odd. An odd part may have a label, which names what
the parsers can differ over.
"""

from dataclasses import dataclass, field


@dataclass
class Message:
    """The bytes of a message and the labels of its odd parts."""

    raw: bytes = b""
    labels: set[str] = field(default_factory=set)

    def add(self, random_, common, odd, odds=0.03):
        """Append one of the common parts, now and then one of the odd ones: `{bytes: label}`."""
        if odd and random_.random() < odds:
            part, label = random_.choice(list(odd.items()))
            self.labels |= {label} if label else set()
        else:
            part = random_.choice(common)
        self.raw += part


METHODS = [b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"M-SEARCH", b"A!B"]
ODD_METHODS = {
    b"get": "a method with lower-case letters",
    b"Post": "a method with lower-case letters",
    b"P": "a short or long method",
    b"Q" * 21: "a short or long method",
    b"GE T": None,
    b"G(T": None,
    b"": None,
    b"\r\nGET": None,
}
TARGETS = [b"/", b"/a", b"/a%20b?c=d", b"/a;b=c/../d?|{}^", b"/%zz", b"/?", b"http://dock:81/x?y", b"HTTPS://dock"]
ODD_TARGETS = {
    b"*": "a target of another form",
    b"dock:80": "a target of another form",
    b"ftp://dock/": "a target of another form",
    b"a/b": "a target of another form",
    b"http:///x": "a target of another form",
    b"http://do ck/": None,
    b"http://a@b/": "a malformed host",
    b"/a#b": "a fragment",
    b"/\xc3\xbc": "bytes from 0x80 in a target",
    b"/\x01": None,
    b"/a b": None,
    b"/\x7f": None,
    b"": None,
}
VERSIONS = [b"HTTP/1.1"] * 6 + [b"HTTP/1.0"]
ODD_VERSIONS = {b"HTTP/1.2": "another version", b"HTTP/2.0": "another version", b"http/1.1": None, b"HTTP/1.1 ": None}
HOSTS = [b"dock", b"dock:81", b"[::1]:80", b"a.b-c", b""]
ODD_HOSTS = {
    b"dock/x": "a malformed host",
    b"a b": "a malformed host",
    b"[::": "a malformed host",
    b"a\x80": "a malformed host",
}
FIELDS = [
    b"Accept: */*",
    b"X-Y:z",
    b"x-y: \t v w \t",
    b"Cookie: a=1",
    b"cookie: b=2",
    b"X-Empty:",
    b"X-Latin: \xe4",
    b"Connection: keep-alive",
    b"Connection: Close",
    b"Connection: x-closed, upgrade",
    b"Content-Type: text/plain",
    b"Authorization: Basic eA==",
    b"X_Y: dropped",
    b"If-Match: a, b",
]
ODD_FIELDS = {
    b"X-A: b\r\n c": "a folded field",
    b" X: leading": "a folded field",
    b"X-A : b": None,
    b": b": None,
    b"nocolon": None,
    b"X-A: b\x00c": None,
    b"X-A: b\rc": None,
    b"X-A: b\x01c": "a control character",
    b"X-A: b\x7fc": "a control character",
    b"X-A: b\x0bc": None,
    b"X-A: b\x85c": None,
    b"X(A: b": None,
    b"Host: other": None,
    b"Content-Type: a\r\nContent-Type: b": "a field twice",
    b"Authorization: a\r\nauthorization: b": "a field twice",
}
FRAMINGS = [[], [], [], [b"Content-Length: 5"], [b"content-length:\t005 "], [b"Transfer-Encoding: chunked"]]
ODD_FRAMINGS = {
    (b"Content-Length: 5", b"Content-Length: 5"): "a length twice",
    (b"Content-Length: 5, 5",): "a length twice",
    (b"Content-Length: 5", b"Content-Length: 6"): None,
    (b"Content-Length: +5",): None,
    (b"Content-Length: -1",): None,
    (b"Content-Length: 0x5",): None,
    (b"Content-Length:",): None,
    (b"Content-Length: " + b"1" * 19,): "a long length",
    (b"Content-Length: " + b"1" * 30,): None,
    (b"Content-Length: 5", b"Transfer-Encoding: chunked"): "chunks and a length",
    (b"Transfer-Encoding: gzip, chunked",): None,
    (b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"): None,
    (b"Transfer-Encoding: \x0bchunked",): None,
    (b"Transfer-Encoding: Chunked",): "",
    (b"Transfer-Encoding: chunked;x",): None,
}
LINE_ENDS = [b"\r\n"]
ODD_LINE_ENDS = {b"\n": "a bare line feed", b"\r": None, b"\r\r\n": None}


def make_head(random_):
    """Return a request head; about half of them have an odd part."""
    message = Message()
    message.add(random_, METHODS, ODD_METHODS)
    message.add(random_, [b" "], {b"  ": None, b"\t": None}, 0.01)
    message.add(random_, TARGETS, ODD_TARGETS, 0.06)
    message.add(random_, [b" "], {b"  ": None, b"\t": None}, 0.01)
    message.add(random_, VERSIONS, ODD_VERSIONS)
    message.add(random_, LINE_ENDS, ODD_LINE_ENDS, 0.01)
    lines = [random_.choice(FIELDS) for _ in range(random_.randrange(4))]
    names = [line.partition(b":")[0].lower() for line in lines]
    if any(names.count(name) > 1 for name in (b"content-type", b"authorization")):
        message.labels.add("a field twice")
    if random_.random() < 0.97:
        host = Message()
        host.add(random_, HOSTS, ODD_HOSTS)
        message.labels |= host.labels
        lines.append(b"Host: " + host.raw)
    framing = random_.choice(FRAMINGS)
    if random_.random() < 0.08:
        framing, label = random_.choice(list(ODD_FRAMINGS.items()))
        message.labels |= {label} if label else set()
    if b"HTTP/1.0" in message.raw and any(line.lower().startswith(b"transfer") for line in framing):
        message.labels.add("chunks in HTTP/1.0")
    lines += framing
    random_.shuffle(lines)
    for line in lines:
        odd = Message()
        odd.add(random_, [line], ODD_FIELDS, 0.02)
        message.labels |= odd.labels
        message.raw += odd.raw
        message.add(random_, LINE_ENDS, ODD_LINE_ENDS, 0.005)
    message.add(random_, LINE_ENDS, ODD_LINE_ENDS, 0.005)
    return message


SIZES = [b"%x", b"%X", b"0%x", b"00000%x"]
EXTENSIONS = [b""] * 6 + [b";a", b";a=b", b'; a = "b;\\"c"', b";a;b=c"]
ODD_EXTENSIONS = {
    b" ;a": "a blank before an extension",
    b"\t;a ;b": "a blank before an extension",
    b";": "a malformed extension",
    b";bad[=x": "a malformed extension",
    b";a=": "a malformed extension",
    b';a="b': "a malformed extension",
    b";a b": "a malformed extension",
    b" ": "a blank after a size",
    b"\t": "a blank after a size",
    b";a ": "a blank after a size",
    b"g": None,
    b",a": None,
    b";a\x00": "a malformed extension",
    b";a\rb": "a malformed extension",
}
TRAILERS = [b""] * 6 + [b"A: b\r\n", b"A: b\r\nC:d\r\n"]
ODD_TRAILERS = {
    b"no field\r\n": None,
    b"A : b\r\n": None,
    b"A: b\n": "a bare line feed",
    b"A: b\r\n c\r\n": "a folded field",
    b"A: b\x01\r\n": "a control character",
    b"A: b\x85\r\n": None,
}


def make_body(random_):
    """Return a body in chunks with bytes after it; about half of them have an odd part."""
    message = Message()
    for _ in range(random_.randrange(4)):
        data = random_.randbytes(random_.choice([1, 2, 10, 17, 300]))
        size = len(data)
        if random_.random() < 0.02:
            size += random_.choice([-1, 1])
        message.add(
            random_, [each % size for each in SIZES], {b"": None, b"+%x" % size: None, b"-1": None, b"0x5": None}
        )
        message.add(random_, EXTENSIONS, ODD_EXTENSIONS)
        message.add(random_, LINE_ENDS, {b"\n": None, b"\r": "a malformed extension"}, 0.01)
        message.raw += data
        message.add(random_, LINE_ENDS, {b"\n": None, b"": None, b"x\r\n": None}, 0.01)
    message.add(
        random_, [b"0", b"000"], {b"": None, b"0" * 16: "a size of 16 digits", b"0" * 21: None, b"1" * 21: None}, 0.04
    )
    message.add(random_, EXTENSIONS, ODD_EXTENSIONS)
    message.add(random_, LINE_ENDS, {b"\n": None, b"\r": "a malformed extension"}, 0.01)
    message.add(random_, TRAILERS, ODD_TRAILERS, 0.05)
    message.add(random_, LINE_ENDS, {b"\n": "a bare line feed", b"": None}, 0.02)
    message.add(random_, [b"", b"GET /next", b"\r\n"], {})
    if random_.random() < 0.05:
        message.raw = message.raw[: random_.randrange(len(message.raw) + 1)]
    return message
