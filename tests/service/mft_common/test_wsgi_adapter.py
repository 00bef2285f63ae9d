"""The adapter through which `requests` calls a WSGI application of this process."""

import tracemalloc

import requests

from mft_common.http1.wsgi_adapter import WsgiAdapter


def test_the_adapter_streams_in_constant_memory():
    """An echo of 200 MiB through requests and a WSGI application holds a few blocks, no more."""

    def echo(environ, start_response):
        start_response("200 OK", [("Content-Type", "application/octet-stream")])
        return iter(lambda: environ["wsgi.input"].read(1 << 20), b"")

    session = requests.Session()
    session.mount("http://echo", WsgiAdapter(echo))
    tracemalloc.start()
    answer = session.post("http://echo/x?y=1", data=(bytes(1 << 20) for _ in range(200)), stream=True)
    assert sum(len(block) for block in answer.iter_content(1 << 20)) == 200 << 20
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 << 20


def test_the_adapter_hands_over_what_was_sent():
    """All of a request and the added environment reach the application, and all of its answer comes back."""
    seen = {}

    def app(environ, start_response):
        seen.update(environ, body=environ["wsgi.input"].read())
        write = start_response("418 Teapot", [("Set-Cookie", "a=1; Path=/"), ("X-Y", "z")])
        write(b"early ")
        yield b"late"

    session = requests.Session()
    session.mount("http://pot", WsgiAdapter(app, lambda: {"extra": 7}))
    answer = session.put("http://pot/a%20b/%C3%BC?q=%7C", data=b"body", headers={"X-Custom": "v"})
    assert (answer.status_code, answer.reason, answer.text, answer.headers["X-Y"]) == (418, "Teapot", "early late", "z")
    assert answer.headers["Set-Cookie"] == "a=1; Path=/"
    assert (seen["REQUEST_METHOD"], seen["PATH_INFO"], seen["QUERY_STRING"]) == ("PUT", "/a b/\xc3\xbc", "q=%7C")
    assert (seen["body"], seen["CONTENT_LENGTH"], seen["HTTP_X_CUSTOM"], seen["extra"]) == (b"body", "4", "v", 7)
