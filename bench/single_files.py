"""Send and fetch single files through an open endpoint, as the scripts that measure endpoints do."""

import hashlib
import os
import resource
import statistics
import time

from mft_common.endpoints.contract import BLOCK
from mft_common.endpoints.files import open_file
from mft_common.endpoints.folders import LocalFolders
from mft_common.endpoints.targets import parse_url
from mft_common.transfer import Mover
from mft_common.transfer.steps.private_files import write_all

TOKEN = "00000000000000BE"


def timed(work):
    """Return the seconds that `work` takes, after everything written before is on the disk."""
    os.sync()
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def timed_with_cpu(work):
    """Return the seconds that `work` takes, and those of processor time of this process and its ended children."""
    before = _cpu()
    seconds = timed(work)
    return seconds, _cpu() - before


def _cpu():
    usages = [resource.getrusage(of) for of in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def medians(pairs):
    """Return the median seconds and processor seconds of some rounds, as text."""
    wall, cpu = (statistics.median(column) for column in zip(*pairs, strict=True))
    return f"{wall:.2f} s ({cpu:.2f} s CPU)"


def ratio(peer, ours):
    """Return the median of the ratios of rounds that ran in turn: the load of the machine changes between them."""
    return statistics.median(one / other for (one, _), (other, _) in zip(peer, ours, strict=True))


def send(endpoint, path, verify="size"):
    """Store a file with a transfer's duties, in one thread: hashed, compared on its temporary name, committed."""
    size, digest = path.stat().st_size, hashlib.sha256()
    writer = endpoint.writer(path.name, token=TOKEN, size=size)
    writer.begin()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
            writer.feed(block)
    writer.seal(size, digest.hexdigest(), verify)
    writer.commit()


def upload(endpoint, path, verify="size"):
    """Store a file by the engine, as transfers do it: the source is read and digested in a thread of its own."""
    with open_file(parse_url(f"file:{path.parent.name}"), LocalFolders(path.parent.parent)) as source:
        Mover(token=TOKEN, verify=verify).move(source, source.stat(path.name), endpoint, path.name)


def fetch(endpoint, entry, folder):
    """Read a file into a folder, hashed."""
    reader, digest = endpoint.open(entry), hashlib.sha256()
    with (folder / entry.path).open("wb", buffering=0) as file:
        while block := reader.read(BLOCK):
            digest.update(block)
            write_all(file, block)
    reader.check()
    reader.close()


def make_large(path, mib):
    """Write a file of so many MiB of random bytes."""
    with path.open("wb") as file:
        for _ in range(mib):
            file.write(os.urandom(1 << 20))
