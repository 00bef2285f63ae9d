"""Run a virus scanner on loopback for the tests: c-icap, and clamd with one signature of our own."""

import contextlib
import shutil
import socket
import tempfile
from pathlib import Path

from tests.servers.processes import free_port, program, wait_until
from tests.servers.programs import Program

VIRUS = b"crossdock-test-virus-marker"
NAME = "Crossdock.Test.UNOFFICIAL"

_CLAMD = """\
DatabaseDirectory {folder}/signatures
LocalSocket {folder}/clamd.sock
TemporaryDirectory {folder}/tmp
Foreground yes
MaxScanSize 200M
MaxFileSize 200M
StreamMaxLength 200M
"""
_C_ICAP = """\
PidFile {folder}/c-icap.pid
CommandsSocket {folder}/c-icap.ctl
Port 127.0.0.1:{port}
ServerName tests
TmpDir {folder}/tmp
ServerLog {folder}/c-icap-server.log
AccessLog {folder}/c-icap-access.log
StartServers 1
MaxServers 1
MinSpareThreads 1
MaxSpareThreads 50
ThreadsPerChild 50
KeepAliveTimeout 60
ModulesDir {modules}
ServicesDir {modules}
TemplateDir /usr/share/c_icap/templates/
TemplateDefaultLanguage en
LoadMagicFile /etc/c-icap/c-icap.magic
Module common clamd_mod.so
clamd_mod.ClamdSocket {folder}/clamd.sock
Service antivirus virus_scan.so
ServiceAlias avscan virus_scan?allow204=on&sizelimit=off&mode=simple
virus_scan.ScanFileTypes TEXT DATA EXECUTABLE ARCHIVE GIF JPEG MSOFFICE
virus_scan.MaxObjectSize 200M
virus_scan.SendPercentData 5
virus_scan.StartSendPercentDataAfter 2M
"""


class VirusScanner:
    """Both servers. `avscan` answers at the end; `virus_scan` returns large contents while it scans them."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="mft-scanner-"))
        clamd = program(("/usr/sbin/clamd", "clamd"), "clamav-daemon")
        c_icap = program(("/usr/bin/c-icap", "c-icap"), "c-icap")
        modules = Path(program(("/usr/lib/*/c_icap/virus_scan.so",), "libc-icap-mod-virus-scan")).parent
        self._port = free_port()
        for name in ("tmp", "signatures"):
            (self._folder / name).mkdir()
        (self._folder / "signatures/own.ndb").write_text(f"Crossdock.Test:0:*:{VIRUS.hex()}\n")
        for name, text in (("clamd", _CLAMD), ("c-icap", _C_ICAP)):
            (self._folder / f"{name}.conf").write_text(
                text.format(folder=self._folder, port=self._port, modules=modules)
            )
        self._clamd = Program([clamd, "-c", self._folder / "clamd.conf"], self._folder / "clamd.log")
        self._icap = Program([c_icap, "-N", "-f", self._folder / "c-icap.conf"], self._folder / "c-icap.log")

    def url(self, service: str = "avscan") -> str:
        """Return the URL of one of its services."""
        return f"icap://127.0.0.1:{self._port}/{service}"

    def start(self) -> None:
        """Start both and wait until they answer."""
        self._clamd.start()
        wait_until((self._folder / "clamd.sock").is_socket, within=60, what="clamd")
        self._icap.start()
        wait_until(self._answers, within=30, what="c-icap")

    def close(self) -> None:
        """Stop both and remove their files."""
        self._icap.kill()
        self._clamd.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _answers(self) -> bool:
        assert self._icap.running(), self._icap.tail()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._port), timeout=5) as connection:
            connection.sendall(b"OPTIONS icap://127.0.0.1/avscan ICAP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
            return b" 200 " in connection.recv(4096)
        return False
