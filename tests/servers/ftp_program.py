"""Run pyftpdlib, healthy or sick, as its one argument says: a JSON object of `Pyftpd`'s keywords."""

# ruff: noqa: N802 -- pyftpdlib finds commands by names of methods

import errno
import json
import sys
from pathlib import Path

from OpenSSL import SSL
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.exceptions import FilesystemError
from pyftpdlib.filesystems import AbstractedFS
from pyftpdlib.handlers import DTPHandler, FTPHandler, TLS_DTPHandler, TLS_FTPHandler
from pyftpdlib.servers import FTPServer

OPTIONS = json.loads(sys.argv[1])
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


class Sick:
    """A data connection that ends as the options say."""

    _fault = None

    def handle_read(self):
        if self._fault is None:
            self._fault = {
                "cut": once("cut_upload_at"),
                "full": once("full_at"),
            }
        super().handle_read()
        if self._fault["cut"] and self.tot_bytes_received >= OPTIONS["cut_upload_at"]:
            self.cmd_channel.close()
        elif self._fault["full"] and self.tot_bytes_received >= OPTIONS["full_at"] and not self._closed:
            self._resp = ("452 No space left on device.", lambda *_: None)
            self.close()

    handle_read_event = handle_read

    def send(self, data):
        if self._fault is None:
            self._fault = {"cut": once("cut_download_at")}
        sent = super().send(data)
        if self._fault["cut"] and self.tot_bytes_sent >= OPTIONS["cut_download_at"]:
            self.cmd_channel.close()
        return sent

    def close(self):
        if not self._closed and self.receive and self.transfer_finished and once("store_answer"):
            self._resp = (OPTIONS["store_answer"], lambda *_: None)
        super().close()


class PlainData(Sick, DTPHandler):
    pass


class TlsData(Sick, TLS_DTPHandler):
    handle_read_event = TLS_DTPHandler.handle_read_event

    def handle_ssl_established(self):
        resumed = SSL._lib.SSL_session_reused(self.socket._ssl)
        with (BROKEN.parent / "sessions").open("a") as file:
            file.write(f"{self.socket.get_protocol_version_name()} {resumed}\n")
        if not resumed:
            self._resp = ("522 The session must be that of the control connection.", lambda *_: None)
            self.close()


class Files(AbstractedFS):
    """Renames as on Windows where the options say so: never onto a file that is there."""

    def rename(self, src, dst):
        if OPTIONS.get("keeps_existing") and self.lexists(dst):
            raise FilesystemError("Cannot create a file when that file already exists")
        if once("rename_fails") and not dst.endswith(".part"):
            raise OSError(errno.EIO, "Input/output error")
        super().rename(src, dst)


class Commands:
    """Commands that are missing, hang, lie or are added."""

    def process_command(self, cmd, *args, **kwargs):
        if cmd in OPTIONS.get("unknown", ()):
            self.respond(f'500 Command "{cmd}" not understood.')
            return
        if cmd == OPTIONS.get("hangs_at"):
            return
        if cmd == OPTIONS.get("closes_after") and once("closes_after"):
            # The command is carried out, and its answer is lost.
            self.respond = lambda *_args, **_keywords: None
            super().process_command(cmd, *args, **kwargs)
            self.close()
            return
        super().process_command(cmd, *args, **kwargs)

    def ftp_SIZE(self, path):
        lie = OPTIONS.get("size_lie", 0)
        if not lie:
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
        cls = type("Handler", (Commands, FTPHandler), {"proto_cmds": commands_of(FTPHandler), "dtp_handler": PlainData})
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
    if "digest" in OPTIONS:
        cls._extra_feats = ["XSHA256"]
    return cls


FTPServer(("127.0.0.1", OPTIONS["port"]), handler()).serve_forever()
