"""Run nginx on loopback for the tests: files of a folder by GET with ranges, and by PUT below `/dav`."""

from pathlib import Path

import requests

from tests.servers.processes import free_port, program, wait_until
from tests.servers.programs import Program

_CONFIGURATION = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx-error.log;
events {{ worker_connections 256; }}
http {{
  access_log off; sendfile on; root {root}; client_max_body_size 0;
  client_body_temp_path {folder}/bodies; proxy_temp_path {folder}/n-p; fastcgi_temp_path {folder}/n-f;
  uwsgi_temp_path {folder}/n-u; scgi_temp_path {folder}/n-s;
  server {{
    listen 127.0.0.1:{port}{tls};
    {certificate}
    location / {{ dav_methods PUT DELETE; create_full_put_path on; {access} }}
  }}
}}
"""


class Nginx:
    """A server of the folder `root`; with `tls`, the files of a certificate and its key, it speaks HTTPS.

    `user` is `name:password`, which every request must then have.
    """

    def __init__(self, folder: Path, *, tls: tuple[Path, Path] | None = None, user: str = "") -> None:
        self.port = free_port()
        self.root = folder / "root"
        self.root.mkdir(parents=True)
        # nginx reads and writes as another user when it is started by root.
        for each in (folder, self.root):
            each.chmod(0o777)
        name, _, password = user.partition(":")
        if user:
            (folder / "users").write_text(f"{name}:{{PLAIN}}{password}\n")
        text = _CONFIGURATION.format(
            folder=folder,
            root=self.root,
            port=self.port,
            tls=" ssl" if tls else "",
            certificate=f"ssl_certificate {tls[0]}; ssl_certificate_key {tls[1]};" if tls else "",
            access=f"auth_basic files; auth_basic_user_file {folder}/users;" if user else "",
        )
        configuration = folder / "nginx.conf"
        configuration.write_text(("user root;" if _is_root() else "") + text)
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}"
        self._verify: str | bool = str(tls[0]) if tls else True
        command = [program(["nginx", "/usr/sbin/nginx"], "nginx-light"), "-p", folder, "-c", configuration]
        self.program = Program(command, folder / "nginx.log").start()
        wait_until(self._ready, within=30, what="nginx")

    def _ready(self) -> bool:
        assert self.program.running(), self.program.tail()
        try:
            return requests.get(self.url, timeout=5, verify=self._verify).status_code < 500
        except requests.RequestException:
            return False


def _is_root() -> bool:
    return Path("/proc/self").stat().st_uid == 0
