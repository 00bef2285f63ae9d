"""Make the steps of one file, and pass blocks through them."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from mft_common.transfer.steps.contract import MakeSteps, Step


def new_steps(make_steps: MakeSteps | None, closing: ExitStack) -> list[Step]:
    """Make the steps of one try; `closing` closes each of them, also those before one that cannot be made."""
    steps = []
    for make in make_steps or ():
        step = make()
        closing.callback(step.close)
        steps.append(step)
    return steps


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
