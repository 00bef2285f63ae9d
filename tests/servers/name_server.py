"""A name service on loopback that gives a name one address after another."""

import contextlib
import socket
import struct
import threading

_ADDRESS, _INTERNET = 1, 1


class NameServer:
    """Answers each question for an IPv4 address with the next one of `addresses`, and the last one for ever.

    `asked` counts these questions. An answer may be kept for no time at all.
    """

    def __init__(self, addresses, port=53):
        self.asked = 0
        self._addresses = list(addresses)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", port))
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        with contextlib.suppress(OSError):
            while True:
                question, client = self._socket.recvfrom(512)
                self._socket.sendto(self._answer(question), client)

    def _answer(self, question):
        end = question.index(b"\0", 12) + 5
        (kind,) = struct.unpack(">H", question[end - 4 : end - 2])
        found = b""
        if kind == _ADDRESS:
            address = self._addresses.pop(0) if len(self._addresses) > 1 else self._addresses[0]
            found = b"\xc0\x0c" + struct.pack(">HHIH", _ADDRESS, _INTERNET, 0, 4) + socket.inet_aton(address)
            self.asked += 1
        head = question[:2] + b"\x81\x80" + struct.pack(">HHHH", 1, int(bool(found)), 0, 0)
        return head + question[12:end] + found
