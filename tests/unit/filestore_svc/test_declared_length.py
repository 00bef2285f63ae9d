import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filestore_svc.errors import BadSyntax, TooLarge
from filestore_svc.wire.bodies import minimum_file_size, receive_form

METADATA, SKIPPED, WASTE, PARTS, PADDING, HEAD = 256 << 10, 1 << 20, 16 << 10, 8, 64, 16 << 10


class _Count:
    size = 0

    def write(self, block):
        self.size += len(block)


def _part(name, content, head):
    fields = f'Content-Disposition: form-data; name="{name}"\r\nX: '
    return (fields + "x" * (head - len(fields))).encode() + b"\r\n\r\n" + content


def _body(boundary, parts, *, padding=PADDING, before=0, after=0):
    line = b"--" + boundary
    body = b"p" * (before - 4) + b"\r\n" if before else b""
    for part in parts:
        body += line + b" " * padding + b"\r\n" + part + b"\r\n"
    return body + line + b"--" + b"e" * after


def _taken(body, boundary):
    sink = _Count()
    receive_form(iter([body]), boundary, lambda _head: sink)
    return sink.size


def _full(boundary, file, *, skipped=SKIPPED, head=HEAD):
    """Return the body with the most beside its file that is taken."""
    others = [_part(f"o{n}", b"o" * (skipped // 6 + (skipped % 6 if not n else 0)), head) for n in range(PARTS - 2)]
    parts = [_part("metadata", b"m" * METADATA, head), _part("file", b"f" * file, head), *others]
    return _body(boundary, parts, before=1000, after=WASTE - 1000 + 2)


@pytest.mark.parametrize("boundary", [b"X", b"b" * 200])
def test_the_largest_body_that_is_taken_has_the_file_that_it_says(boundary):
    """The file is never smaller than the least size computed from the declared length, with any content beside it."""
    body = _full(boundary, 1_000)
    assert _taken(body, boundary) == 1_000
    assert 900 < minimum_file_size(len(body), boundary) <= 1_000


@pytest.mark.parametrize(
    ("more", "refusal"), [({"skipped": SKIPPED + 1}, TooLarge), ({"head": HEAD + 1}, BadSyntax)], ids=["other", "head"]
)
def test_nothing_beside_the_file_may_be_larger(more, refusal):
    """Every limit that the bound is computed from is enforced on each body."""
    with pytest.raises(refusal):
        _taken(_full(b"X", 10, **more), b"X")


@settings(max_examples=60)
@given(
    st.integers(0, 3_000_000),
    st.integers(0, METADATA),
    st.lists(st.integers(0, 200_000), max_size=5),
    st.integers(0, PADDING),
    st.binary(min_size=1, max_size=200).map(lambda raw: raw.hex().encode()[:200]),
)
def test_no_body_that_is_taken_has_less(file, metadata, others, padding, boundary):
    """No combination of parts makes the file smaller than the least size."""
    parts = [_part("metadata", b"m" * metadata, 100), _part("file", b"f" * file, 200)]
    body = _body(
        boundary, [*parts, *(_part(f"o{n}", b"o" * size, 100) for n, size in enumerate(others))], padding=padding
    )
    assert minimum_file_size(len(body), boundary) <= _taken(body, boundary) == file


def test_a_bare_body_is_its_file():
    """To the byte; a body in chunks says nothing, and a short multipart body may hold an empty file."""
    assert (
        minimum_file_size(7, None),
        minimum_file_size(None, None),
        minimum_file_size(None, b"X"),
        minimum_file_size(900, b"X"),
    ) == (7, 0, 0, 0)
