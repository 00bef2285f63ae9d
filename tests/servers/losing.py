"""Forward requests to a server on loopback, lose the answers to some, and let nobody look at what was stored."""

import http.client

from tests.servers.web import Request

_PER_CONNECTION = {"connection", "transfer-encoding", "content-length", "server", "date"}


class Losing:
    """Forwards to a port; call it as a `Web` server's `respond`.

    The answers to the next `lost` requests to store a file are lost after they were carried out; HEAD is answered with
    403 while it is `blind`. `stored` counts the requests that were carried out with success, by their paths.
    """

    def __init__(self, port: int, *, lost: int = 0, blind: bool = True) -> None:
        self.lost = lost
        self.blind = blind
        self.stored: list[str] = []
        self._port = port

    def __call__(self, request: Request) -> None:
        body = request.body()
        if request.command == "HEAD" and self.blind:
            request.answer(403)
            return
        upstream = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        try:
            headers = {name: value for name, value in request.headers.items() if name.lower() not in _PER_CONNECTION}
            upstream.request(request.command, request.path, body, headers)
            answer = upstream.getresponse()
            content = answer.read()
        finally:
            upstream.close()
        if request.command == "PUT" and answer.status < 300:
            self.stored.append(request.path)
            if self.lost:
                self.lost -= 1
                return
        kept = {name: value for name, value in answer.getheaders() if name.lower() not in _PER_CONNECTION}
        request.answer(answer.status, content, **kept)
