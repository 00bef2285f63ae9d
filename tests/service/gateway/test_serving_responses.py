"""Responses as the server frames them, and applications that fail."""

import os

from mft_common import environ_keys
from tests.service.gateway.serving_lab import connect, read_all, read_answer, serving, talk, until


def test_an_old_client_sees_the_end_by_the_close():
    """HTTP/1.0 gets no chunks."""

    def streaming(environ, start_response):
        start_response("200 OK", [])
        yield b"one"
        yield b"two"

    with serving(streaming) as lab:
        old = talk(lab.port, b"GET / HTTP/1.0\r\n\r\n")
        new = talk(lab.port, b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    assert old.endswith(b"\r\n\r\nonetwo")
    assert new.endswith(b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")


def test_a_short_answer_is_cut_and_never_looks_whole():
    """The connection is reset when an application sends fewer bytes than its Content-Length, or fails midway."""

    def short(environ, start_response):
        start_response("200 OK", [("Content-Length", "10")])
        yield b"abc"

    def broken(environ, start_response):
        start_response("200 OK", [])
        yield b"abc"
        raise RuntimeError("in the middle")

    request = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
    for app in (short, broken):
        with serving(app) as lab:
            assert not talk(lab.port, request).endswith((b"0\r\n\r\n", b"abc" * 3))


def test_an_application_that_fails_is_answered_in_the_form_of_its_path():
    """The answer is a 500 in the vendor's form that does not tell the reason."""

    def failing(environ, start_response):
        raise RuntimeError("secret")

    with serving(failing) as lab:
        answer = talk(lab.port, b"GET /diplomat/APIRequest HTTP/1.1\r\nHost: h\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b"<statusCode>500</statusCode>" in answer
    assert b"secret" not in answer


def test_a_header_with_a_line_break_is_no_second_answer():
    """A line break in a header's value is an error, so that no client can add headers to a response."""

    def split(environ, start_response):
        start_response("200 OK", [("X-A", "b\r\nSet-Cookie: c=d"), ("Content-Length", "0")])
        return []

    with serving(split) as lab:
        answer = talk(lab.port, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b"Set-Cookie" not in answer


def test_a_file_is_sent_by_the_kernel_from_where_it_stands(tmp_path):
    """The file is sent from its position up to the Content-Length, and then closed."""
    path = tmp_path / "file"
    path.write_bytes(os.urandom(3 << 20))
    opened = []

    def app(environ, start_response):
        file = path.open("rb")
        opened.append(file)
        file.seek(5)
        start_response("200 OK", [("Content-Length", str((3 << 20) - 10))])
        return environ["wsgi.file_wrapper"](file)

    with serving(app) as lab, connect(lab.port) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        assert read_answer(sock)[1] == path.read_bytes()[5:-5]
        sock.sendall(b"HEAD / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        assert read_all(sock).endswith(b"\r\n\r\n")
        until(lambda: all(file.closed for file in opened), "the files are closed")


def test_an_error_of_the_system_in_an_application_is_answered():
    """An OSError of the application is told from one of the client's connection."""

    def failing(environ, start_response):
        raise FileNotFoundError("gone")

    with serving(failing) as lab:
        answer = talk(lab.port, b"GET /2.0/x HTTP/1.1\r\nHost: h\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 500 ")


def test_the_callbacks_get_the_end_of_a_response():
    """The callbacks in the environment get the status, the bytes sent, and whether the response was complete."""
    told = []

    def app(environ, start_response):
        environ[environ_keys.FINISHED].append(lambda *end: told.append(end))
        start_response("200 OK", [("Content-Length", "5")])
        return [b"whole"] if environ["PATH_INFO"] == "/whole" else iter([b"cut"])

    with serving(app) as lab:
        talk(lab.port, b"GET /whole HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        talk(lab.port, b"GET /cut HTTP/1.1\r\nHost: h\r\n\r\n")
        until(lambda: len(told) == 2, "both ends are told")
    assert told == [(200, 5, True), (200, 3, False)]
