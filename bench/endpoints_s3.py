"""Measure moves to and from a bucket beside the AWS client and rclone; run by endpoints.py.

The server is moto's, over TLS on loopback. It serves from one interpreter and closes each connection, so the figures
are as much those of the server as of the client. The AWS client moves ten files at a time, rclone four.
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
from tests.servers.s3 import KEY_ID, SECRET, S3Server


def run(folder, *, large):
    """Print the figures."""
    del large
    measure.need("aws", "rclone")
    for number, client in enumerate((Aws, Rclone)):
        (folder / str(number)).mkdir()
        with contextlib.closing(client(folder / str(number))) as peer:
            far_files.run("s3", peer, folder / str(number))


class Aws:
    """The AWS client against moto."""

    @staticmethod
    def start():
        """Start it and let it do nothing."""
        subprocess.run(["aws", "--version"], check=True, capture_output=True)

    def __init__(self, folder):
        self.tls = certificate.ensure(folder)
        self.server = S3Server(folder, self.tls)
        self.bucket = self.server.bucket()
        self.ours = ("s3", self.bucket, str(self.server.port), str(self.tls[0]))
        self._environment = {
            **os.environ,
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CA_BUNDLE": str(self.tls[0]),
        }

    @staticmethod
    def version():
        """Return what it calls itself."""
        return measure.version_of(["aws", "--version"]).split()[0]

    def run(self, way, folder):
        """Copy a folder's files there, or the files of these names to a folder."""
        there, here = f"s3://{self.bucket}/", f"{folder}-down/" if way == "down" else f"{folder}/"
        names = [file.name for file in folder.iterdir()]
        ends = [here, there] if way == "up" else [there, here]
        if len(names) == 1:
            ends = [end + names[0] for end in ends]
        more = ["--recursive"] if len(names) > 1 else []
        if way == "down" and more:
            more += ["--exclude", "*", "--include", f"{names[0][:5]}*"]
        command = ["aws", "--endpoint-url", self.server.url, "s3", "cp", "--only-show-errors", *more, *ends]
        subprocess.run(command, check=True, env=self._environment)

    def close(self):
        self.server.program.kill()


class Rclone(Aws):
    """The program rclone against moto, as it is without options for speed."""

    @staticmethod
    def start():
        """Start it and let it do nothing."""
        subprocess.run(["rclone", "version"], check=True, capture_output=True)

    @staticmethod
    def version():
        """Return what it calls itself."""
        return measure.version_of(["rclone", "version"])

    def run(self, way, folder):
        """Copy a folder's files there, or the files of these names to a folder."""
        there, here = f"bucket:{self.bucket}", f"{folder}-down" if way == "down" else str(folder)
        ends = [here, there] if way == "up" else [there, here]
        more = ["--include", f"{next(folder.iterdir()).name[:5]}*"]
        # It takes authorities from an option, and refuses to start with this variable.
        environment = {
            **{name: value for name, value in self._environment.items() if name != "AWS_CA_BUNDLE"},
            "RCLONE_CONFIG_BUCKET_TYPE": "s3",
            "RCLONE_CONFIG_BUCKET_PROVIDER": "Other",
            "RCLONE_CONFIG_BUCKET_ENDPOINT": self.server.url,
            "RCLONE_CONFIG_BUCKET_ENV_AUTH": "true",
            "RCLONE_CONFIG_BUCKET_NO_CHECK_BUCKET": "true",
            # moto refuses to name the version of an object in a bucket without versions, which rclone would ask for.
            "RCLONE_CONFIG_BUCKET_NO_HEAD": "true",
        }
        command = ["rclone", "copy", "--config", os.devnull, "--ca-cert", str(self.tls[0]), *more, *ends]
        subprocess.run(command, check=True, env=environment)
