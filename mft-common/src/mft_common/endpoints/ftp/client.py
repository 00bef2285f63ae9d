"""Speak FTP over ftplib: names as bytes, TLS that is always checked, data connections that resume its session."""

# ruff: noqa: S321 -- FTP without TLS is the operator's choice, and named so in the documentation

import contextlib
import ftplib
import socket
import ssl
from typing import BinaryIO, Final

from mft_common.endpoints.targets import Target

# Seconds without traffic after which the kernel probes the control connection, which idles during long transfers.
_PROBE_AFTER: Final = 30
# Bytes of one answer with all its lines; a server without an end must not fill the memory.
_LONGEST_ANSWER: Final = 1 << 20


class Client(ftplib.FTP):
    """One control connection. Passive mode alone; the host in an answer to PASV is ignored for the control one's.

    Names and answers are text of UTF-8 decoded with `surrogateescape`, so that every byte survives.
    """

    def __init__(self, target: Target) -> None:
        super().__init__(timeout=target.timeouts.idle)
        self._target = target
        self._context = ssl.create_default_context(cafile=target.ca) if target.tls else None
        self._lines: BinaryIO | None = None

    def open(self) -> None:
        """Connect, secure the connection as the target says, and read the greeting; ftplib's errors and OSError."""
        target = self._target
        self.host, self.port = target.host, target.port
        self.sock = socket.create_connection((target.host, target.port), target.timeouts.connect)
        self.af = self.sock.family
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _PROBE_AFTER)
        self._secure(implicit=True)
        self._lines = self.sock.makefile("rb")
        self.welcome = self.getresp()
        if target.tls == "explicit":
            self.voidcmd("AUTH TLS")
            self._secure(implicit=False)
            # A new buffer: bytes that came unprotected before the handshake are never read as an answer.
            self._lines = self.sock.makefile("rb")
        self.sock.settimeout(target.timeouts.idle)

    def _secure(self, *, implicit: bool) -> None:
        if self._context is None or implicit != (self._target.tls == "implicit"):
            return
        assert self.sock is not None
        self.sock = self._context.wrap_socket(self.sock, server_hostname=self.host)

    def protect(self) -> None:
        """Demand TLS for the data connections too."""
        if self._context is not None:
            self.voidcmd("PBSZ 0")
            self.voidcmd("PROT P")

    def putline(self, line: str) -> None:
        """Send a line; ValueError for one that holds a line's end."""
        if "\r" in line or "\n" in line:
            raise ValueError("a command of FTP cannot hold a line's end")
        assert self.sock is not None
        self.sock.sendall(line.encode("utf-8", "surrogateescape") + b"\r\n")

    def getline(self) -> str:
        """Return the next line of an answer without its end."""
        assert self._lines is not None
        line = self._lines.readline(self.maxline + 1)
        if len(line) > self.maxline:
            raise ftplib.Error(f"an answer's line has more than {self.maxline} bytes")
        if not line:
            raise EOFError("the server closed the control connection")
        return line.rstrip(b"\r\n").decode("utf-8", "surrogateescape")

    def getmultiline(self) -> str:
        """Return an answer of one or more lines; ftplib.Error for one that is too long."""
        line = self.getline()
        lines, size, code = [line], len(line), line[:3]
        while lines[0][3:4] == "-" and (len(lines) == 1 or line[:3] != code or line[3:4] == "-"):
            line = self.getline()
            lines.append(line)
            size += len(line) + 1
            if size > _LONGEST_ANSWER:
                raise ftplib.Error(f"an answer has more than {_LONGEST_ANSWER} bytes")
        return "\n".join(lines)

    def makepasv(self) -> tuple[str, int]:
        """Ask for a data port, by EPSV where the server does not know PASV; ftplib.Error for an answer without one."""
        try:
            host, port = self._ask_for_port()
        except ValueError as error:
            raise ftplib.error_proto("the server names no data port") from error
        if not 0 < port < 1 << 16:
            raise ftplib.error_proto(f"the server names the data port {port}")
        return host, port

    def _ask_for_port(self) -> tuple[str, int]:
        try:
            return super().makepasv()
        except ftplib.error_perm:
            if self.af != socket.AF_INET:
                raise
        assert self.sock is not None
        return ftplib.parse229(self.sendcmd("EPSV"), self.sock.getpeername())

    def ntransfercmd(self, cmd: str, rest: int | str | None = None) -> tuple[socket.socket, int | None]:
        """Begin a transfer and return its data connection.

        TLS on it resumes the session of the control connection, as vsftpd's `require_ssl_reuse` demands, and reports an
        end without a closing alert (`SSLEOFError`).
        """
        host, port = self.makepasv()
        data = socket.create_connection((host, port), self._target.timeouts.connect)
        try:
            data.settimeout(self._target.timeouts.idle)
            if rest is not None:
                self.sendcmd(f"REST {rest}")
            answer = self.sendcmd(cmd)
            if answer[0] == "2":
                # Some servers answer twice before the data.
                answer = self.getresp()
            if answer[0] != "1":
                raise ftplib.error_reply(answer)  # noqa: TRY301 -- as ftplib does, and the data connection is closed
            if self._context is not None:
                assert isinstance(self.sock, ssl.SSLSocket)
                data = self._context.wrap_socket(
                    data, server_hostname=self.host, session=self.sock.session, suppress_ragged_eofs=False
                )
        except BaseException:
            data.close()
            raise
        return data, None

    def close(self) -> None:
        """Close the control connection without a word."""
        lines, self._lines = self._lines, None
        if lines is not None:
            with contextlib.suppress(OSError):
                lines.close()
        with contextlib.suppress(OSError):
            super().close()
