"""Start vsftpd on loopback for files below one folder, without TLS or with explicit or implicit TLS."""

import os
import socket
from pathlib import Path

from tests.servers.made_secrets import secret
from tests.servers.processes import free_port, program, wait_until
from tests.servers.programs import Program

_SETTINGS = """\
listen=YES
listen_address=127.0.0.1
background=NO
run_as_launching_user=YES
anonymous_enable=YES
secure_email_list_enable=YES
local_enable=NO
write_enable=YES
anon_upload_enable=YES
anon_mkdir_write_enable=YES
anon_other_write_enable=YES
anon_world_readable_only=NO
anon_umask=022
allow_writeable_chroot=YES
ascii_upload_enable=YES
ascii_download_enable=YES
seccomp_sandbox=NO
xferlog_enable=NO
pasv_address=127.0.0.9
pasv_promiscuous=YES
idle_session_timeout=60
data_connection_timeout=60
"""
_TLS = """\
ssl_enable=YES
allow_anon_ssl=YES
force_anon_logins_ssl=YES
force_anon_data_ssl=YES
require_ssl_reuse={reuse}
ssl_tlsv1=YES
ssl_ciphers=HIGH
rsa_cert_file={certificate}
rsa_private_key_file={key}
implicit_ssl={implicit}
"""


class Vsftpd:
    """A server whose anonymous user may do everything with `password`; files belong to the user who runs the tests.

    With `tls`, the files of a certificate and its key, every data connection must resume the TLS session of its control
    connection unless `reuse` is False. `protocol` is the highest version of TLS, as OpenSSL names it. PASV answers a
    wrong host.
    """

    def __init__(self, folder: Path, root: Path, *, tls=None, implicit=False, reuse=True, protocol="TLSv1.3") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        binary = program(["/usr/sbin/vsftpd", "vsftpd"], "vsftpd")
        self.port = free_port()
        self.password = secret("password-of-vsftpd")
        passwords = folder / "passwords"
        passwords.write_text(f"{self.password}\n")
        settings = f"{_SETTINGS}listen_port={self.port}\nanon_root={root}\nemail_password_file={passwords}\n"
        if tls is not None:
            settings += _TLS.format(certificate=tls[0], key=tls[1], implicit=_word(implicit), reuse=_word(reuse))
        (folder / "vsftpd.conf").write_text(settings)
        (folder / "openssl.cnf").write_text(
            "openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\nsystem_default = limits\n"
            f"[limits]\nMaxProtocol = {protocol}\n"
        )
        environment = {**os.environ, "OPENSSL_CONF": str(folder / "openssl.cnf")}
        self.program = Program([binary, folder / "vsftpd.conf"], folder / "log", env=environment)

    def __enter__(self):
        self.program.start()
        wait_until(lambda: listens(self.port), what="vsftpd")
        return self

    def __exit__(self, *_error):
        self.program.kill()


def _word(value):
    return "YES" if value else "NO"


def listens(port):
    """Return whether something takes connections at a port of the loopback address."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
