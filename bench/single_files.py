"""Send and fetch single files through an open endpoint, as the scripts that measure endpoints do."""

import hashlib
import os
import time

from mft_common.endpoints.contract import BLOCK

TOKEN = "00000000000000BE"


def timed(work):
    """Return the seconds that `work` takes, after everything written before is on the disk."""
    os.sync()
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def send(endpoint, path, verify="size"):
    """Store a file as a transfer does: hashed, compared on its temporary name, committed."""
    size, digest = path.stat().st_size, hashlib.sha256()
    writer = endpoint.writer(path.name, token=TOKEN, size=size)
    writer.begin()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
            writer.feed(block)
    writer.seal(size, digest.hexdigest(), verify)
    writer.commit()


def fetch(endpoint, entry, folder):
    """Read a file into a folder, hashed."""
    reader, digest = endpoint.open(entry), hashlib.sha256()
    with (folder / entry.path).open("wb") as file:
        while block := reader.read(BLOCK):
            digest.update(block)
            file.write(block)
    reader.check()
    reader.close()


def make_large(path, mib):
    """Write a file of so many MiB of random bytes."""
    with path.open("wb") as file:
        for _ in range(mib):
            file.write(os.urandom(1 << 20))
