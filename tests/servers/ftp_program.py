"""Run pyftpdlib, healthy or sick, as its one argument says: a JSON object of `Pyftpd`'s keywords."""

# ruff: noqa: N802 -- pyftpdlib finds commands by names of methods

import errno
import json
import os
import sys
from pathlib import Path

from OpenSSL import SSL
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.exceptions import FilesystemError
from pyftpdlib.filesystems import AbstractedFS
from pyftpdlib.handlers import DTPHandler, FTPHandler, TLS_DTPHandler, TLS_FTPHandler
from pyftpdlib.servers import FTPServer

OPTIONS = json.loads(Path(sys.argv[1]).read_text())
BROKEN = Path(OPTIONS["root"]).parent / "broken"


def once(key):
    """Return whether a fault is to happen now; with `faults` it happens as often as that says, over all connections."""
    if not OPTIONS.get(key):
        return False
    count = int(BROKEN.read_text()) if BROKEN.exists() else 0
    if count >= OPTIONS.get("faults", 1 << 30):
        return False
    BROKEN.write_text(str(count + 1))
    return True


class Cuts:
    """Cuts both connections after a number of bytes in all, which the test writes to a file."""

    file = BROKEN.parent / "cut"
    left = None

    @classmethod
    def count(cls, connection, count):
        if cls.file.exists():
            cls.left = int(cls.file.read_text())
            cls.file.unlink()
        if cls.left is not None:
            cls.left -= count
            if cls.left <= 0:
                cls.left = None
                connection.cmd_channel.close()


class Sick(DTPHandler):
    """A data connection that ends as the options say."""

    _counted = 0

    def handle_read(self):
        super().handle_read()
        count, self._counted = self.tot_bytes_received - self._counted, self.tot_bytes_received
        Cuts.count(self, count)
        full = OPTIONS.get("full_at")
        if full and self.tot_bytes_received >= full and not self._closed:
            self._resp = ("452 No space left on device.", lambda *_: None)
            self.close()

    def send(self, data):
        sent = super().send(data)
        Cuts.count(self, sent)
        return sent

    handle_read_event = handle_read

    def close(self):
        if not self._closed and self.receive and self.transfer_finished and once("store_answer"):
            self._resp = (OPTIONS["store_answer"], lambda *_: None)
        super().close()


class TlsData(TLS_DTPHandler, Sick):
    """The same below TLS."""

    def handle_ssl_established(self):
        resumed = SSL._lib.SSL_session_reused(self.socket._ssl)
        with (BROKEN.parent / "sessions").open("a") as file:
            file.write(f"{self.socket.get_protocol_version_name()} {resumed}\n")
        if not resumed:
            self._resp = ("522 The session must be that of the control connection.", lambda *_: None)
            self.close()


class Files(AbstractedFS):
    """Renames as on Windows where the options say so: never onto a file that is there.

    With `taken_at_rename` another program takes the name just before that rename; with `takes` it replaces the file of
    that name before the first. With `retimes` a file has another time after a rename, as where it is copied; with
    `vanishes` another program removes it then.
    """

    time = 1_500_000_000

    def rename(self, src, dst):
        if OPTIONS.get("taken_at_rename") == Commands.renames:
            Path(dst).write_bytes(b"another program's")
        if OPTIONS.get("takes") == Path(src).name and Commands.renames == 1:
            Path(src).write_bytes(b"another program's")
        if OPTIONS.get("keeps_existing") and self.lexists(dst):
            raise FilesystemError("Cannot create a file when that file already exists")
        if OPTIONS.get("refused_at_rename") == Commands.renames:
            raise OSError(errno.EIO, "Input/output error")
        super().rename(src, dst)
        if OPTIONS.get("vanishes"):
            Path(dst).unlink()
        if OPTIONS.get("retimes"):
            Files.time += 7
            os.utime(dst, (Files.time, Files.time))


def spoil(path, change):
    """Remove, cut off or change a file, or do nothing."""
    if change == "unlink":
        path.unlink()
    elif change == "cut":
        path.write_bytes(path.read_bytes()[:1])
    elif change == "zeros":
        path.write_bytes(bytes(path.stat().st_size))


class Commands:
    """Commands that are missing, hang, lie or are added."""

    renames = 0

    def __init__(self, *args, **keywords):
        super().__init__(*args, **keywords)
        if "digest" in OPTIONS:
            self._extra_feats = [*self._extra_feats, "XSHA256"]

    def process_command(self, cmd, *args, **kwargs):
        Commands.renames += cmd == "RNTO"
        if cmd == "RNTO" and OPTIONS.get("cut_at_rename") == Commands.renames:
            spoil(Path(self._rnfr), OPTIONS.get("spoils"))
            if OPTIONS["carried_out"]:
                self.respond = lambda *_args, **_keywords: None
                super().process_command(cmd, *args, **kwargs)
            self.close()
            return
        if cmd in OPTIONS.get("unknown", ()):
            self.respond(f'500 Command "{cmd}" not understood.')
            return
        if cmd == OPTIONS.get("hangs_at"):
            return
        if OPTIONS.get("hides_dots") and cmd in ("MLST", "SIZE", "MDTM") and "/." in args[0]:
            self.respond("550 No such file or directory.")
            return
        super().process_command(cmd, *args, **kwargs)

    def ftp_SIZE(self, path):
        lie = OPTIONS.get("size_lie", 0)
        if not lie or not self.fs.isfile(path):
            return super().ftp_SIZE(path)
        self.respond(f"213 {self.fs.getsize(path) + lie}")
        return None

    def ftp_PASV(self, line):
        """Answer a host that belongs to somebody else."""
        respond = self.respond
        self.respond = lambda text, *rest, **keys: respond(text.replace("(127,0,0,1,", "(127,0,0,9,"), *rest, **keys)
        self._make_epasv(extmode=False)
        self.respond = respond

    def ftp_XSHA256(self, path):
        self.respond(f"250 {OPTIONS['digest']}")


def commands_of(base):
    """Return the table of commands without those that the options leave out."""
    table = {**base.proto_cmds}
    for name in OPTIONS.get("unknown", ()):
        table.pop(name, None)
    if "digest" in OPTIONS:
        table["XSHA256"] = {"perm": "r", "auth": True, "arg": True, "help": "Syntax: XSHA256 <SP> file-name"}
    return table


def handler():
    """Return the class of control connections."""
    if OPTIONS.get("tls") is None:
        cls = type("Handler", (Commands, FTPHandler), {"proto_cmds": commands_of(FTPHandler), "dtp_handler": Sick})
    else:
        certificate, key = OPTIONS["tls"]
        options = TLS_FTPHandler.ssl_options | (SSL.OP_NO_TLSv1_3 if OPTIONS.get("protocol") == "TLSv1.2" else 0)
        cls = type(
            "Handler",
            (Commands, TLS_FTPHandler),
            {
                "proto_cmds": commands_of(TLS_FTPHandler),
                "dtp_handler": TlsData,
                "certfile": certificate,
                "keyfile": key,
                "ssl_options": options,
                "tls_control_required": True,
                "tls_data_required": True,
            },
        )
    authorizer = DummyAuthorizer()
    authorizer.add_user(OPTIONS["user"], OPTIONS["password"], OPTIONS["root"], perm="elradfmwMT")
    cls.authorizer = authorizer
    cls.abstracted_fs = Files
    cls.use_sendfile = False
    cls.auth_failed_timeout = 0
    return cls


FTPServer(("127.0.0.1", OPTIONS["port"]), handler()).serve_forever()
