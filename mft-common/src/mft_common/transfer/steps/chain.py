"""Pass blocks through several steps."""

from collections.abc import Iterator, Sequence

from mft_common.transfer.steps.contract import Step


def through(steps: Sequence[Step], block: bytes) -> Iterator[bytes]:
    """Yield what a block becomes by all steps."""
    if not steps:
        yield block
        return
    for made in steps[0].feed(block):
        yield from through(steps[1:], made)


def finished(steps: Sequence[Step]) -> Iterator[bytes]:
    """Yield what the end of the file becomes by all steps."""
    for place, step in enumerate(steps):
        for made in step.finish():
            yield from through(steps[place + 1 :], made)
