"""The format .sealed: this project's reader and writer beside a second pair that was written from the page alone."""

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mft_common.hpke import Suite
from mft_common.transfer.steps.sealed import Metadata, SealedHeader
from tests.unit.mft_common import second_sealed as second
from tests.unit.mft_common.sealed_files import FULL, PRIVATE, UID, crafted, seal, unseal

PAGE = (Path(__file__).parents[3] / "docs" / "sealed-format.md").read_text()


def test_95_the_vectors_of_the_page_are_read_by_both_readers():
    """The page's files of both suites have the content that the page says."""
    vectors = [base64.b64decode(text) for text in re.findall(r"```\n(iVhT[^`]+)```", PAGE)]
    assert [SealedHeader.parse(data).suite for data in vectors] == [Suite.X25519, Suite.MLKEM768_X25519]
    for data in vectors:
        found, content = unseal(data)
        assert content == second.read(PRIVATE, data)[1] == b"hello, quay\n"
        assert (found.name, found.size, found.mtime_ns) == ("hello.txt", 12, 1_700_000_000_123_456_789)
        assert SealedHeader.parse(data).uid == UID


def test_95_the_file_of_two_chunks_that_the_page_describes_has_its_digest():
    """The description of the third vector suffices to make it."""
    (clear,) = (found.encode() for found in re.findall(r'`(\{"name":"two.bin".*\})`', PAGE))
    content = bytes(number % 251 for number in range(FULL + 1))
    secrets = {"key": bytes(range(64, 96)), "prefix": bytes(range(1, 8)), "ephemeral": bytes(range(128, 160))}
    data = crafted(clear, second.chunks_of(content), **secrets)
    assert hashlib.sha256(data).hexdigest() in PAGE
    found, restored = unseal(data)
    assert restored == content
    assert found.mtime_ns is None


def test_95_the_example_of_the_page_runs():
    """The page's Python is executed as it is printed."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(code, "docs/sealed-format.md", "exec"), {})


@pytest.mark.parametrize("suite", list(Suite))
@pytest.mark.parametrize("size", [0, 1, FULL - 1, FULL, FULL + 1, 2 * FULL, 9 * FULL + 3, 40 * FULL])
def test_95_the_second_reader_reads_what_the_first_writer_writes(suite, size):
    """Sizes around chunks are read by both, in a file of the length that the page says."""
    content = hashlib.shake_128(b"%d" % size).digest(size)
    data = seal(content, suite=suite)
    clear = json.dumps({"name": "a.bin", "size": size, "mtime_ns": 1_000_000, "protected": "1970-01-01T00:00:02.000Z"})
    length = len(clear.replace(" ", ""))
    assert len(data) == 40 + 32 + suite.overhead + length + 16 + size + 16 * max(1, -(-size // FULL))
    assert second.read(PRIVATE, data) == (json.loads(clear), content)
    assert unseal(data, blocks=(1, FULL + 16, 7, 1 << 20)) == (Metadata("a.bin", size, 1_000_000, 2000), content)


@settings(max_examples=200)
@given(
    content=st.binary(max_size=300),
    fill=st.integers(0, 3 * FULL),
    block=st.integers(1000, 1 << 20),
    blocks=st.lists(st.integers(1, 200_000), min_size=1, max_size=4),
    name=st.text(min_size=1, max_size=80).filter(lambda text: not set(text) & set("/\0")),
)
def test_95_any_bytes_round_trip_in_any_blocks(content, fill, block, blocks, name):
    """Content, name and the borders of the blocks are free."""
    content += bytes(fill)
    found, restored = unseal(seal(content, name=name, block=block), blocks=blocks)
    assert restored == content
    assert (found.name, found.size) == (name, len(content))


def test_97_two_protections_of_one_file_share_nothing():
    """Neither nonce prefix nor wrapped key nor any sixteen bytes of ciphertext occur in both."""
    one, two = seal(bytes(2 * FULL)), seal(bytes(2 * FULL))
    assert one[:32] == two[:32]
    assert one[32:39] != two[32:39]
    blocks = [{data[at : at + 16] for at in range(40, len(data) - 15)} for data in (one, two)]
    assert not blocks[0] & blocks[1]
    assert len(blocks[0]) == len(one) - 55
