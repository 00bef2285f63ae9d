import hashlib

import pytest

from filestore_svc.store.background_writer import BackgroundWriter
from filestore_svc.store.local_blobs import LocalBlobs


def test_blocks_are_taken_in_order():
    """All blocks are taken in the order in which they were put, before `finish` returns."""
    taken = []
    background_writer = BackgroundWriter(taken.append)
    for number in range(50):
        background_writer.put(bytes([number]))
    background_writer.finish()
    assert taken == [bytes([number]) for number in range(50)]
    background_writer.stop()


def test_an_error_reaches_whoever_finishes():
    """A full disk is told to the one who waits, and nothing hangs."""

    def full(_block):
        raise OSError(28, "full")

    background_writer = BackgroundWriter(full)
    background_writer.put(b"x")
    with pytest.raises(OSError, match="full"):
        background_writer.finish()


@pytest.mark.parametrize("size", [0, 1, (2 << 20) - 1, 2 << 20, 5_000_001])
def test_staged_bytes_are_kept_whole(tmp_path, size):
    """Small and large contents come out as they went in, with their digest, and leave no staging file."""
    blobs = LocalBlobs(tmp_path)
    content = bytes(range(251)) * (size // 251 + 1)
    content = content[:size]
    staging = blobs.stage(4097, md5=True)
    for start in range(0, size, 1 << 20):
        staging.write(memoryview(content)[start : start + (1 << 20)])
    staging.finish()
    assert staging.sha256.hexdigest() == hashlib.sha256(content).hexdigest()
    assert (staging.size, staging.md5.digest()) == (size, hashlib.md5(content).digest())
    blobs.keep(staging)
    with blobs.open(4097) as kept:
        assert kept.readall() == content
    assert list((tmp_path / "staging").iterdir()) == []
    assert blobs.page("", -1) == ([4097], "")
    blobs.remove(4097)
    blobs.remove(4097)


def test_the_staging_of_the_living_is_left_alone(tmp_path):
    """A file that a process holds locked is no leftover; an unlocked one is."""
    blobs = LocalBlobs(tmp_path)
    living = blobs.stage(1)
    living.write(b"x" * (65 << 10))
    locked = list((tmp_path / "staging").iterdir())
    assert len(locked) == 1
    (tmp_path / "staging/dead").write_bytes(b"x")
    assert blobs.clear_staging(None) == 1
    assert blobs.clear_staging(3600) == 0
    assert list((tmp_path / "staging").iterdir()) == locked
    living.discard()
    living.discard()
