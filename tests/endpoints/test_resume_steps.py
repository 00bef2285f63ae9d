"""Moves with steps that are cut: a step cannot go on in the middle, a limit of bandwidth can."""

import functools
import io
import random
import zipfile

import pytest

from mft_common.endpoints.errors import Transient
from mft_common.transfer import Bandwidth
from mft_common.transfer.steps.text import Text
from mft_common.transfer.steps.zips import Zip
from tests.endpoints.test_resume import SEED, TOKEN, Cut, Watched, content_of, local, mover

__all__ = ["local"]
LINE = "Größe {:08d}: 12 €\n"
# A bucket needs several parts only above 32 MiB where the size is not known before.
LINES = {"s3": 1_000_000}


class Counted:
    """Makes the steps of each try, and knows how many of them were made and closed."""

    def __init__(self, *makers):
        self.makers, self.made, self.closed = [functools.partial(self._watched, make) for make in makers], 0, 0

    def _watched(self, make):
        self.made += 1
        step = make()
        close = step.close

        def closed():
            self.closed += 1
            close()

        step.close = closed
        return step


def text_of(far):
    """Return a text of some MiB."""
    return "".join(LINE.format(number) for number in range(LINES.get(far.kind, 200_000)))


def unfinished(far):
    """Return what others can list or what a bucket keeps of unfinished files."""
    names = [name for name in far.names_outside() if name != "f"]
    return names + (far.server.unfinished(far.bucket) if far.kind == "s3" else [])


def as_text():
    return Text("utf-8", "utf-16-le", to_ends="crlf")


def test_a_move_with_steps_that_is_cut_begins_anew(far, local):
    """After cuts at random bytes of source and destination the file is whole, made by new steps from its beginning."""
    chance = random.Random(SEED)
    path, source = local
    text = text_of(far)
    expected = text.replace("\n", "\r\n").encode("utf-16-le")
    (path / "f").write_bytes(text.encode())
    saved = []
    with far.open() as endpoint:
        for watched in ("source", "destination"):
            cut, steps = Cut(chance.randrange(len(text))), Counted(as_text)
            ends = {"source": source, "destination": endpoint}
            ends[watched] = Watched(ends[watched], cut)
            moving = mover(steps=steps.makers, checkpointed=saved.append, keep=True)
            moved = moving.move(ends["source"], source.stat("f"), ends["destination"], "f")
            assert (moved.retries, moved.resumed) == (1, 0)
            assert (steps.made, steps.closed) == (2, 2)
            assert far.read_outside("f") == expected
            assert unfinished(far) == []
    assert saved == []


def test_a_move_with_steps_that_fails_leaves_nothing_to_go_on_with(far, local):
    """Although an unfinished file may be kept, one that was made by steps is removed."""
    path, source = local
    text = text_of(far)
    (path / "f").write_bytes(text.encode())
    steps = Counted(as_text, lambda: Zip("f"))
    cut = Cut(len(text) // 2)
    with far.open() as endpoint, pytest.raises(Transient):
        mover(steps=steps.makers, keep=True, retries=0).move(Watched(source, cut), source.stat("f"), endpoint, "f")
    assert (steps.made, steps.closed) == (2, 2)
    assert far.names_outside() == []
    assert unfinished(far) == []
    with far.open() as endpoint:
        assert endpoint.sweep(TOKEN) == ()


def test_a_checkpoint_of_plain_bytes_is_not_gone_on_with_by_steps(far, local):
    """The unfinished file of a move without steps holds other bytes: one with steps begins anew, and replaces it."""
    path, source = local
    content = content_of(far, SEED)
    (path / "f").write_bytes(content)
    entry, saved, temporaries = source.stat("f"), [], []
    cut = Cut(len(content) * 3 // 4)
    moving = mover(retries=0, keep=True, checkpointed=saved.append, begins=temporaries.append)
    with far.open() as endpoint, pytest.raises(Transient):
        moving.move(source, entry, Watched(endpoint, cut), "f")
    assert bool(saved) == far.resumes
    resume = saved[-1] if saved else None
    with far.open() as endpoint:
        moved = mover(steps=[lambda: Zip("f")]).move(source, entry, endpoint, "f", resume=resume)
        assert moved.resumed == 0
        endpoint.sweep(TOKEN, tuple(temporaries))
    with zipfile.ZipFile(io.BytesIO(far.read_outside("f"))) as archive:
        assert archive.read("f") == content
    assert unfinished(far) == []


def test_a_move_with_a_limit_of_bandwidth_goes_on(far, local):
    """A limit changes no byte: after a cut the file goes on at its checkpoint, and the limit holds for the rest."""
    if not far.resumes:
        return
    path, source = local
    content = content_of(far, SEED)
    (path / "f").write_bytes(content)
    bandwidth = Bandwidth(400 << 20)
    with far.open() as endpoint:
        cut = Cut(len(content) * 3 // 4)
        moved = mover(bandwidth=bandwidth).move(source, source.stat("f"), Watched(endpoint, cut), "f")
    assert moved.resumed > len(content) // 2
    assert far.read_outside("f") == content
