"""An SMTP server with STARTTLS and AUTH PLAIN, which keeps the mails that it accepted."""

import base64
import contextlib
import socketserver
import ssl
import threading


class MailServer:
    """Listens on a free loopback port; `mails` holds (sender, recipient, text), `said` each command after its arrival.

    `refused` are the recipients that it answers with 550, `offers_tls` is whether it knows STARTTLS, `busy` how many
    mails it answers with 451 first, `drops_quit` closes the connection instead of an answer to QUIT.
    """

    def __init__(self, context: ssl.SSLContext | None, *, user: str = "", password: str = "", implicit=False) -> None:
        self.context, self.user, self.password, self.implicit = context, user, password, implicit
        self.mails: list[tuple[str, str, str]] = []
        self.said: list[str] = []
        self.refused: set[str] = set()
        self.offers_tls, self.busy, self.drops_quit = True, 0, False
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                session = _Session(outer, self.request)
                with contextlib.suppress(OSError, EOFError):
                    session.run()
                session.connection.close()

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address, daemon_threads = True, True

            def handle_error(self, request, client_address):
                """Say nothing: a client may leave at any time."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self):
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


class _Session:
    def __init__(self, server, connection):
        self.server, self.connection = server, connection
        self.secure, self.known = False, not server.user
        self.sender = self.recipient = ""

    def _wrap(self):
        self.connection = self.server.context.wrap_socket(self.connection, server_side=True)
        self.secure = True

    def _line(self):
        line = b""
        while not line.endswith(b"\r\n"):
            byte = self.connection.recv(1)
            if not byte:
                raise EOFError
            line += byte
        return line[:-2]

    def _say(self, text):
        self.connection.sendall(f"{text}\r\n".encode())

    def run(self):
        """Answer commands until the client leaves."""
        if self.server.implicit:
            self._wrap()
        self._say("220 mail.test ESMTP")
        while True:
            line = self._line().decode()
            self.server.said.append(line)
            verb, _, rest = line.partition(" ")
            if verb == "QUIT":
                if not self.server.drops_quit:
                    self._say("221 bye")
                self.connection.close()
                return
            getattr(self, f"do_{verb.lower()}", self._unknown)(rest)

    def _unknown(self, _rest):
        self._say("502 unknown")

    def do_ehlo(self, _rest):
        """List the extensions."""
        tls = self.server.offers_tls and not self.secure
        self._say("250-mail.test")
        self._say("250 STARTTLS" if tls else "250 AUTH PLAIN")

    def do_starttls(self, _rest):
        """Begin TLS."""
        self._say("220 go ahead")
        self._wrap()

    def do_auth(self, rest):
        """Check user and password; never without TLS."""
        given = base64.b64decode(rest.partition(" ")[2]).decode().split("\0")[1:]
        self.known = self.secure and given == [self.server.user, self.server.password]
        self._say("235 welcome" if self.known else f"535 wrong: {given}")

    def do_mail(self, rest):
        """Take the sender."""
        self.sender = rest
        self._say("250 ok" if self.known else "530 authenticate first")

    def do_rcpt(self, rest):
        """Take or refuse the recipient."""
        self.recipient = rest
        refused = any(one in rest for one in self.server.refused)
        self._say(f"550 no such user {rest}" if refused else "250 ok")

    def do_rset(self, _rest):
        """Forget the mail."""
        self._say("250 ok")

    def do_data(self, _rest):
        """Take the mail's text."""
        self._say("354 go ahead")
        lines = []
        while (line := self._line()) != b".":
            lines.append(line.decode())
        if self.server.busy:
            self.server.busy -= 1
            self._say("451 try later")
            return
        self.server.mails.append((self.sender, self.recipient, "\n".join(lines)))
        self._say("250 queued")
