"""Replace one file of an SFTP server again and again, until this process is killed: `sftp_replacer.py TARGET`."""

import hashlib
import json
import sys

from mft_common import logs
from mft_common.endpoints.sftp import open_sftp
from mft_common.endpoints.targets import Target

TOKEN = "0000000000000042"


def content_of(number: int) -> bytes:
    """Return a content that names itself, so that a part of it cannot be taken for a whole one."""
    return f"{number:08d}".encode() * 1000


def main() -> None:
    """Write the contents 1, 2, 3, ... under one name, each named on stdout once it is committed."""
    logs.configure("replacer")
    with open_sftp(Target(scheme="sftp", **json.loads(sys.argv[1]))) as endpoint:
        for number in range(1, 1_000_000):
            content = content_of(number)
            writer = endpoint.writer("f", token=TOKEN, size=len(content))
            writer.begin()
            writer.feed(content)
            writer.seal(len(content), hashlib.sha256(content).hexdigest(), "size")
            writer.commit()
            print(number, flush=True)


if __name__ == "__main__":
    main()
