"""A server that is gone in the middle of a move, and stays away: what it holds is known to be left."""

import contextlib

import pytest

from mft_common.endpoints.errors import Transient
from mft_common.endpoints.files import open_file
from mft_common.endpoints.folders import LocalFolders
from mft_common.endpoints.ftp import open_ftp
from mft_common.endpoints.targets import parse_url
from mft_common.transfer import Mover
from tests.servers.pyftpd import Pyftpd

TOKEN = "0000000000000042"
SIZE = 24 << 20


@pytest.mark.parametrize("every", [0.0, 1000.0])
@pytest.mark.parametrize("retries", [0, 1, 2])
def test_an_unfinished_file_that_no_further_try_could_look_at_is_told(tmp_path, every, retries):
    """Each further try fails before it begins, with or without a checkpoint: it must not be taken for a removal."""
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "a").write_bytes(bytes(SIZE))
    with contextlib.ExitStack() as running:
        server = running.enter_context(Pyftpd(tmp_path / "there"))
        far = running.enter_context(open_ftp(server.target()))
        here = running.enter_context(open_file(parse_url("file:here"), LocalFolders(tmp_path)))

        def vanish(done):
            if done > SIZE // 2:
                server.program.kill()

        mover = Mover(
            token=TOKEN, progress=vanish, progress_every=0.0, checkpoint_every=every, retries=retries, delay=0.0
        )
        with pytest.raises(Transient) as caught:
            mover.move(here, here.stat("a"), far, "a")
        assert [path.name for path in server.root.iterdir()] == [f".a.{TOKEN}.part"]
        assert caught.value.leftover
