"""Run scans of generated contents against the ICAP server of the tests."""

import hashlib
import random

from tests.servers.icap import CLEAN

LARGE = random.Random(7).randbytes(12 << 20)


def scan(scanner, content, *, step=1 << 20, patient=False):
    """Scan a content in blocks of `step` bytes, and wait for the verdict."""
    transaction = scanner.begin("/in/a", None, patient=patient)
    try:
        for start in range(0, len(content), step):
            transaction.write(memoryview(content)[start : start + step])
        transaction.verdict(len(content), hashlib.sha256(content))
    finally:
        transaction.close()


def recorded(icap):
    """Let the server find nothing, and record the content that it receives."""
    seen = []

    def record(talk):
        seen.append((talk.head.partition(" ")[0], talk.body()))
        talk.send(CLEAN)

    icap.script = record
    return seen
