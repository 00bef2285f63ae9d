"""RFC 3507: the answers of a scanner, divided at every byte."""

import contextlib
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filestore_svc.domain.scanning import ScannerPlace
from filestore_svc.wire.icap import ScannerAway, requests
from filestore_svc.wire.icap.responses import IcapResponse

PLACE = ScannerPlace.of("icap://scan.test:1344/avscan?mode=simple")
PAGE = b"<html>VIRUS FOUND</html>"
# As c-icap 0.5.10 with virus_scan 0.5.5 words it, less what differs each time.
FOUND = (
    b"ICAP/1.0 200 OK\r\nServer: C-ICAP/0.5.10\r\nConnection: keep-alive\r\n"
    b'ISTag: "CI0001-L5CkDhq+qWNs+PZ5DxxXsAAA"\r\n'
    b"X-Infection-Found: Type=0; Resolution=2; Threat=Crossdock.Test.UNOFFICIAL;\r\n"
    b"X-Violations-Found: 1\r\n\t-\r\n\tCrossdock.Test.UNOFFICIAL\r\n\t0\r\n\t0\r\n"
    b"Encapsulated: res-hdr=0, res-body=45\r\n\r\n"
    b"HTTP/1.0 403 Forbidden\r\nConnection: close\r\n\r\n"
    b"18\r\n<html>VIRUS FOUND</html>\r\n0\r\n\r\n"
)
GIVEN_BACK = (
    b"ICAP/1.0 100 Continue\r\n\r\nICAP/1.0 200 OK\r\nEncapsulated: req-hdr=0, req-body=19\r\n\r\n"
    b"PUT /a HTTP/1.1\r\n\r\n3;name=value\r\nabc\r\n00A\r\n0123456789\r\n0\r\nTrailer: yes\r\n\r\n"
)
CLEAN = b"ICAP/1.0 204 No Content\r\nEncapsulated: null-body=0\r\n\r\n"


def _parsed(*pieces):
    answer = IcapResponse()
    for piece in pieces:
        answer.feed(piece)
    return answer


def _seen(answer):
    return (
        answer.continued,
        answer.status,
        answer.headers,
        answer.sections,
        answer.http_status,
        (answer.size, answer.sha256.digest()),
        (answer.complete, answer.exact),
        answer.threat,
    )


def test_a_virus_in_the_words_of_c_icap():
    """Its name is in two headers, and a page is in place of the content."""
    answer = _parsed(FOUND)
    assert (answer.status, answer.http_status, answer.sections) == (200, 403, ["res-hdr", "res-body"])
    assert answer.threat == "Crossdock.Test.UNOFFICIAL"
    assert (answer.size, answer.sha256.digest()) == (len(PAGE), hashlib.sha256(PAGE).digest())
    assert answer.exact


def test_a_content_that_is_given_back():
    """Chunks with extensions, leading zeros and trailers make one body, after a 100."""
    answer = _parsed(GIVEN_BACK)
    assert (answer.continued, answer.status, answer.http_status, answer.threat) == (True, 200, 0, "")
    assert (answer.size, answer.sha256.digest()) == (13, hashlib.sha256(b"abc0123456789").digest())


@pytest.mark.parametrize("whole", [FOUND, GIVEN_BACK, CLEAN])
def test_every_cut_reads_the_same(whole):
    """An answer in two pieces, divided at each byte, and in single bytes equals the whole; no prefix is complete."""
    expected = _seen(_parsed(whole))
    for cut in range(len(whole)):
        answer = _parsed(whole[:cut])
        assert not answer.complete
        answer.feed(whole[cut:])
        assert _seen(answer) == expected
    assert _seen(_parsed(*(whole[at : at + 1] for at in range(len(whole))))) == expected


@given(st.binary(max_size=300))
def test_garbage_is_refused_or_incomplete(data):
    """Arbitrary bytes are refused or incomplete; no other error leaves the parser."""
    with contextlib.suppress(ScannerAway):
        assert not _parsed(data).complete


@given(st.data())
def test_a_damaged_answer_never_escapes(data):
    """One byte that is another one makes an answer, or ScannerAway."""
    whole = bytearray(data.draw(st.sampled_from([FOUND, GIVEN_BACK, CLEAN])))
    whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ScannerAway):
        assert isinstance(_parsed(bytes(whole)).threat, str)


@pytest.mark.parametrize(
    "wrong",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"ICAP/1.0 2000 OK\r\n\r\n",
        b"ICAP/1.0 200 OK\r\nno colon\r\n\r\n",
        b"ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=ten\r\n\r\n",
        b"ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=5, res-body=9\r\n\r\n",
        b"ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, req-hdr=9, res-body=3\r\n\r\n",
        b"ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=99999999\r\n\r\n",
        b"ICAP/1.0 200 OK\r\nEncapsulated: req-body=0\r\n\r\nxyz\r\n",
        b"ICAP/1.0 200 OK\r\nEncapsulated: req-body=0\r\n\r\n-1\r\n",
        b"ICAP/1.0 200 OK\r\nEncapsulated: req-body=0\r\n\r\n2\r\nabc\r\n",
        b"ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=6\r\n\r\nhello\n",
        b"x" * 9000,
        b"ICAP/1.0 200 OK\r\n" + b"a: b\r\n" * 300,
    ],
)
def test_malformed_responses(wrong):
    """It is refused, and never read without an end."""
    with pytest.raises(ScannerAway):
        _parsed(wrong)


@pytest.mark.parametrize(
    ("headers", "threat"),
    [
        (b"X-Infection-Found: Type=0; Resolution=1; Threat=Eicar", "Eicar"),
        (b"X-Infection-Found: something", "something"),
        (b"x-virus-id: W32/Test", "W32/Test"),
        (b"X-Virus-ID: a\x07b\xff" + b"c" * 500, ("abÿ" + "c" * 500)[:200]),
        (b"X-Violations-Found: 1\r\n file.txt\r\n Eicar\r\n 1\r\n 2", "Eicar"),
        (b"X-Violations-Found: 2", "2 violations"),
        (b"X-Violations-Found: 0", ""),
        (b"X-Virus-ID:", ""),
    ],
)
def test_names_of_threats(headers, threat):
    """The three headers that scanners use, as a log may hold them."""
    assert _parsed(b"ICAP/1.0 204 No\r\n" + headers + b"\r\n\r\n").threat == threat


def test_bytes_after_the_end():
    """A connection with bytes after the end of an answer is not used again."""
    answer = _parsed(CLEAN + b"x")
    assert (answer.complete, answer.exact) == (True, False)


def test_a_request_as_it_is_worded():
    """Offsets are those of the heads, and a name that is no URL is quoted."""
    asked = requests.head(PLACE, "REQMOD", "/in/ä b\r\n", 7, 1024).decode()
    icap, _, http = asked.partition("\r\n\r\n")
    assert icap.split("\r\n") == [
        "REQMOD icap://scan.test:1344/avscan?mode=simple ICAP/1.0",
        "Host: scan.test:1344",
        "User-Agent: Crossdock",
        "Allow: 204",
        "Preview: 1024",
        f"Encapsulated: req-hdr=0, req-body={len(http)}",
    ]
    assert http.startswith("PUT http://filestore/in/%C3%A4%20b%0D%0A HTTP/1.1\r\n")
    assert http.endswith("Content-Length: 7\r\n\r\n")


def test_a_response_as_it_is_worded():
    """RESPMOD presents the content as the response to a download."""
    asked = requests.head(PLACE, "RESPMOD", "/in/a", None, None).decode()
    icap, _, http = asked.partition("\r\n\r\n")
    first = http.index("HTTP/1.1 200 OK")
    assert icap.endswith(f"Encapsulated: req-hdr=0, res-hdr={first}, res-body={len(http)}")
    assert (http.startswith("GET http://filestore/in/a HTTP/1.1\r\n"), "Preview" in icap) == (True, False)


def test_chunks():
    """An empty block is none: it would end the body."""
    assert (requests.chunk(b"a" * 26), requests.chunk(b"")) == (b"1a\r\n" + b"a" * 26 + b"\r\n", b"")
