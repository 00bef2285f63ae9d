"""A web server on loopback that keeps the requests it gets and answers as a test tells it."""

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Answering:
    """Listens on an address of loopback, with TLS where it is given a context.

    `answers` are the next answers, each (status, headers, body); (204, {}, b"") follows them. `requests` holds
    (method, path, headers, body) of each request. While `gate` is not set a request waits for its answer.
    """

    def __init__(self, context=None, address="127.0.0.1", port=0):
        self.answers, self.requests = [], []
        self.gate = threading.Event()
        self.gate.set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self):
                """Keep the request, and answer."""
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                outer.requests.append((self.command, self.path, dict(self.headers), body))
                outer.gate.wait(60)
                status, headers, answer = outer.answers.pop(0) if outer.answers else (204, {}, b"")
                with contextlib.suppress(OSError):
                    self.send_response(status)
                    for name, value in {"Content-Length": str(len(answer)), **headers}.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(answer)

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815 -- http.server's

            def log_message(self, *_arguments):
                """Say nothing."""

        self._server = ThreadingHTTPServer((address, port), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_arguments: None
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        self.url = f"http{'s' if context else ''}://{address}:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self):
        """Stop listening, and let the requests go that wait."""
        self.gate.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)
