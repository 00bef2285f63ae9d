"""Run an S3 server on loopback for the tests: moto's, in a process of its own."""

import os
import secrets
import sys
from pathlib import Path

import boto3
import requests

from tests.servers.made_secrets import secret
from tests.servers.processes import free_port, wait_until
from tests.servers.programs import Program

KEY_ID = "the-tests"
SECRET = secret("secret-of-s3")


class S3Server:
    """A server; each test makes its own bucket. With `tls`, the files of a certificate and its key, it speaks HTTPS."""

    def __init__(self, folder: Path, tls: tuple[Path, Path] | None = None) -> None:
        self.port = free_port()
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}"
        self._verify: str | bool = str(tls[0]) if tls else True
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
        if tls:
            command += ["-c", str(tls[0]), "-k", str(tls[1])]
        self.program = Program(command, folder / "s3.log", env=dict(os.environ))
        self.program.start()
        wait_until(self._ready, within=60, what="an S3 server")
        self.client = boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=KEY_ID,
            aws_secret_access_key=SECRET,
            region_name="us-east-1",
            verify=self._verify,
        )

    def _ready(self) -> bool:
        assert self.program.running(), self.program.tail()
        try:
            return requests.get(f"{self.url}/moto-api/", timeout=5, verify=self._verify).status_code == 200
        except requests.RequestException:
            return False

    def bucket(self) -> str:
        """Make a bucket."""
        name = f"bucket-{secrets.token_hex(8)}"
        self.client.create_bucket(Bucket=name)
        return name

    def keys(self, bucket: str) -> list[str]:
        """Return all keys of a bucket."""
        return [each["Key"] for each in self.client.list_objects_v2(Bucket=bucket).get("Contents", ())]

    def unfinished(self, bucket: str) -> list[str]:
        """Return the keys of the multipart uploads that have not ended."""
        return [each["Key"] for each in self.client.list_multipart_uploads(Bucket=bucket).get("Uploads", ())]
