"""Protected files for tests: made and read by this project's steps, or made by the second writer with known keys."""

from mft_common import hpke
from mft_common.hpke import Suite
from mft_common.transfer.steps.sealed import Metadata, Seal, Unseal
from tests.unit.mft_common import second_sealed as second

PRIVATE = bytes(range(32))
UID = bytes(range(16, 32))
FULL = 65_536
SECRETS = {"key": b"k" * 32, "prefix": b"prefix!", "ephemeral": b"e" * 32}
PUBLIC = second.public_of(1, PRIVATE)


def seal(content, *, suite=Suite.X25519, name="a.bin", block=1 << 20):
    """Protect bytes that come in blocks of one size."""
    step = Seal(UID, suite, hpke.public_bytes(suite, PRIVATE), Metadata(name, len(content), 1_000_000, 2000))
    made = [one for at in range(0, len(content), block) for one in step.feed(content[at : at + block])]
    return b"".join([*made, *step.finish()])


def unseal(data, *, private=PRIVATE, blocks=(1 << 20,)):
    """Restore bytes that come in blocks of these sizes in turn; return metadata and content."""
    step, made, at = Unseal(lambda header, wrapped: header.unwrap(private, wrapped)), [], 0
    while at < len(data):
        for size in blocks:
            made += step.feed(data[at : at + size])
            at += size
    made += step.finish()
    assert all(len(one) <= 1 << 20 for one in made)
    return step.metadata, b"".join(made)


def crafted(clear, chunks, **changed):
    """Return a file of the second writer, whose keys are known."""
    return second.write(PUBLIC, clear, chunks, **{**SECRETS, **changed})
