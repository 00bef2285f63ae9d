"""Small files that go out in one piece, from stores that give them in several or not at all."""

import io

import pytest

from filestore_svc.domain.files import StoredFile
from filestore_svc.errors import TemporarilyUnavailable
from filestore_svc.operations.downloads import DownloadBody
from filestore_svc.routes import fast_path
from mft_common import environ_keys

CONTENT = b"0123456789"
FILE = StoredFile(fileset=1, path="/in/a", name="a", size=len(CONTENT), sha256="0" * 64)


class Blob(io.RawIOBase):
    """A content of which three bytes come at a time, and then nothing but errors from `broken` on."""

    def __init__(self, broken=100):
        super().__init__()
        self.position, self.broken = 0, broken

    def readable(self):
        return True

    def seek(self, offset, _whence=0):
        self.position = offset
        return offset

    def readinto(self, buffer):
        if self.position >= self.broken:
            raise OSError("the store is away")
        block = CONTENT[self.position : self.position + min(3, len(buffer))]
        buffer[: len(block)] = block
        self.position += len(block)
        return len(block)


@pytest.fixture
def told():
    """The reports of downloads: bytes sent, and whether these were all."""
    return []


def sending(blob, told):
    return DownloadBody(blob, 0, len(CONTENT), lambda sent, whole: told.append((sent, whole)), lambda: None)


def test_a_file_that_comes_in_pieces_goes_out_whole(told):
    """The server reports the download once it has sent the response."""
    finished = []
    assert fast_path._small_or_streamed({environ_keys.FINISHED: finished}, FILE, sending(Blob(), told)) == [CONTENT]
    assert told == []
    (tell,) = finished
    tell(200, len(CONTENT), True)
    assert told == [(len(CONTENT), True)]


def test_a_file_that_cannot_be_read_is_a_download_that_failed(told):
    """The client gets 503, no download is recorded as a read, and the error is not counted as bytes of the file."""
    finished, blob = [], Blob(broken=6)
    with pytest.raises(TemporarilyUnavailable):
        fast_path._small_or_streamed({environ_keys.FINISHED: finished}, FILE, sending(blob, told))
    assert finished == []
    assert told == [(6, False)]
    assert blob.closed
