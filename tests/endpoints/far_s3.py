"""A bucket of moto's S3 server over TLS, as far side of the shared suite."""

import contextlib

from crossdock import certificate
from mft_common.endpoints.registry import Endpoints
from mft_common.endpoints.s3 import open_s3
from mft_common.endpoints.section import Targets
from mft_common.endpoints.targets import Target
from tests.servers.s3 import KEY_ID, SECRET, S3Server


class FarBucket:
    """A prefix of a bucket of its own."""

    kind = "s3"
    resumes = True
    verifies = False
    byte_names = False
    versions = True

    def __init__(self, server: S3Server, ca: str, name: str) -> None:
        self.server = server
        self.bucket = server.bucket()
        self._prefix = f"{name}/"
        self.target = Target(
            scheme="s3", host=self.bucket, folder=name, endpoint=server.url, key_id=KEY_ID, secret=SECRET, ca=ca
        )

    def open(self):
        return open_s3(self.target)

    def endpoints(self):
        return Endpoints(Targets({"far": self.target}))

    def write_outside(self, path, content):
        self.server.client.put_object(Bucket=self.bucket, Key=self._prefix + path, Body=content)

    def read_outside(self, path):
        with contextlib.suppress(self.server.client.exceptions.NoSuchKey):
            return self.server.client.get_object(Bucket=self.bucket, Key=self._prefix + path)["Body"].read()
        return None

    def names_outside(self):
        return sorted(key.removeprefix(self._prefix) for key in self.server.keys(self.bucket))


@contextlib.contextmanager
def _buckets(folder):
    """Start the server; each far side has a bucket."""
    tls = certificate.ensure(folder)
    server = S3Server(folder, tls)
    try:
        yield lambda name: FarBucket(server, str(tls[0]), name)
    finally:
        server.client.close()
        server.program.kill()


SERVERS = {"s3": _buckets}
