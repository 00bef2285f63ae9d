"""Digests of bytes that pass in blocks of any size (`mft_common.transfer.digests`)."""

import hashlib
import os
import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from mft_common.transfer.digests import Digests, DigestsBehind

SIZES = (1, (256 << 10) - 1, 256 << 10, 1 << 20, 3)


def taken(md5, kind=Digests):
    """Return the digests of blocks of all sizes, and their bytes."""
    digests, blocks = kind(md5=md5), [random.Random(size).randbytes(size) for size in SIZES]
    for block in blocks:
        digests.update(block)
    return digests, b"".join(blocks)


@pytest.mark.parametrize("kind", [Digests, DigestsBehind])
@pytest.mark.parametrize("md5", [False, True])
def test_small_and_large_blocks_have_the_digests_of_their_bytes(md5, kind):
    """Large blocks are digested by two threads at once, or behind their caller; the order of the blocks is kept."""
    digests, content = taken(md5, kind)
    found = digests.result()
    assert (found.size, found.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert found.md5 == (hashlib.md5(content, usedforsecurity=False).hexdigest() if md5 else None)


@pytest.mark.parametrize("md5", [False, True])
def test_another_process_continues_digests_from_their_states(md5):
    """The states are texts; digests that lack one of them begin anew."""
    digests, content = taken(md5)
    again = Digests.restored(digests.size, digests.state, md5=md5)
    again.update(b"end")
    found = again.result()
    assert found.sha256 == hashlib.sha256(content + b"end").hexdigest()
    assert found.md5 == (hashlib.md5(content + b"end", usedforsecurity=False).hexdigest() if md5 else None)
    assert Digests.restored(digests.size, {}, md5=md5) is None
    assert Digests.restored(digests.size, {"sha256": digests.state["sha256"]}, md5=True) is None


def test_many_files_are_digested_behind_their_callers_at_once():
    """Digests that wait for those of MD5 take none of the threads that these need."""
    content = random.Random(1).randbytes(256 << 10)

    def run(count):
        digests = DigestsBehind(md5=True)
        for _ in range(count):
            digests.update(content)
        try:
            return digests.result()
        finally:
            digests.close()

    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(run, range(1, 33)))
    assert [one.size for one in found] == [count * len(content) for count in range(1, 33)]
    assert found[2].sha256 == hashlib.sha256(content * 3).hexdigest()
    assert found[2].md5 == hashlib.md5(content * 3, usedforsecurity=False).hexdigest()


def test_digests_that_are_given_up_hold_no_thread():
    """A move that fails leaves blocks that wait: they are not digested any more."""
    before = set(threading.enumerate())
    digests, _ = taken(False, DigestsBehind)
    (started,) = set(threading.enumerate()) - before
    digests.close()
    assert not started.is_alive()


def test_a_child_process_takes_digests_with_threads_of_its_own():
    """A fork has none of the threads that its parent had made."""
    _, content = taken(md5=True)
    expected = hashlib.md5(content, usedforsecurity=False).hexdigest().encode()
    reader, writer = os.pipe()
    if (pid := os.fork()) == 0:
        try:
            digests, _ = taken(md5=True)
            os.write(writer, (digests.result().md5 or "").encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as answer:
        assert answer.read() == expected
    assert os.waitpid(pid, 0)[1] == 0
