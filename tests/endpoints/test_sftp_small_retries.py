"""Further tries of small files to an `sftp:` endpoint, after one whose unfinished file could not be removed."""

import contextlib

import pytest

from mft_common.endpoints.errors import Transient
from mft_common.endpoints.files import open_file
from mft_common.endpoints.folders import LocalFolders
from mft_common.endpoints.names import temporary_name
from mft_common.endpoints.sftp import open_sftp
from mft_common.endpoints.targets import Target, Timeouts, parse_url
from mft_common.transfer.engine import Mover
from tests.servers.sick_sftp import PASSWORD, USER, Calls, SickSftp

TOKEN = "0123456789ABCDEF"


class Away(Calls):
    """A server that takes no session."""

    def __init__(self, channel, server):
        super().__init__(channel, server)
        channel.get_connection().abort()


class GoesAwayAtAWrite(Calls):
    """A server that goes away for good while the first bytes come, and leaves the file that they were for."""

    def write(self, file_obj, offset, data):
        self.server.calls = Away
        self.channel.get_connection().abort()


@pytest.fixture
def ends(tmp_path):
    """A folder with a small file, and an endpoint at a server that goes away."""
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "f").write_bytes(b"small")
    with contextlib.ExitStack() as running:
        server = running.enter_context(SickSftp(tmp_path / "far", GoesAwayAtAWrite))
        target = Target(
            scheme="sftp", host="127.0.0.1", port=server.port, user=USER, password=PASSWORD, host_key=server.host_key,
            timeouts=Timeouts(connect=5, idle=5),
        )  # fmt: skip
        here = running.enter_context(open_file(parse_url("file:here"), LocalFolders(tmp_path)))
        yield here, running.enter_context(open_sftp(target))


def test_what_the_first_try_has_left_is_told_by_the_last_one(ends, tmp_path):
    """No later try reaches the server: the error says that a sweep is needed, as after the first try."""
    here, far = ends
    with pytest.raises(Transient) as caught:
        Mover(token=TOKEN, retries=2, delay=0.0).move(here, here.stat("f"), far, "f")
    assert caught.value.tries == 3
    assert [path.name for path in (tmp_path / "far").iterdir()] == [temporary_name("f", TOKEN)]
    assert caught.value.leftover
