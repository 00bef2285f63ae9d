"""Measure moves to and from a web server beside curl; run by endpoints.py.

The server is nginx, over TLS on loopback. What comes down is thrown away. curl moves one file at a time, in one
process.
"""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import far_files
import measure

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the tests' servers are not installed anywhere

from crossdock import certificate
from tests.servers.nginx import Nginx


def run(folder, *, large):
    """Print the figures."""
    del large
    measure.need("curl", "nginx")
    # nginx reads as another user where it is not started by root.
    for each in (folder, folder.parent):
        each.chmod(0o755)
    with contextlib.closing(Curl(folder)) as peer:
        far_files.run("http", peer, folder)


class Curl:
    """The command curl against nginx, one process for all files."""

    @staticmethod
    def start():
        """Start it and let it do nothing."""
        subprocess.run(["curl", "--version"], check=True, capture_output=True)

    def __init__(self, folder):
        self.tls = certificate.ensure(folder)
        self.server = Nginx(folder / "nginx", tls=self.tls)
        self.ours = ("http", "127.0.0.1", str(self.server.port), str(self.tls[0]))

    @staticmethod
    def version():
        """Return what it calls itself."""
        return " ".join(measure.version_of(["curl", "--version"]).split()[:2])

    def run(self, way, folder):
        command = ["curl", "-sSf", "--cacert", self.tls[0], "-K", "-"]
        lines = []
        for file in sorted(folder.iterdir()):
            lines.append(f'url = "{self.server.url}/{file.name}"')
            lines.append(f'upload-file = "{file}"' if way == "up" else f'output = "{os.devnull}"')
        out = subprocess.run(command, check=True, input="\n".join(lines).encode(), capture_output=True)
        assert not out.stderr

    def close(self):
        self.server.program.kill()
