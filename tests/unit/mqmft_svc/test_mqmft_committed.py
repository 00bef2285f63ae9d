"""The source of a managed file whose commit an earlier run was cut off after (224, 225)."""

import errno
import os
import threading
from contextlib import closing

import pytest

from mft_common.endpoints.files import FileEndpoint
from mft_common.endpoints.folders import Folder, LocalFolders
from mft_common.endpoints.registry import Endpoints
from mft_common.endpoints.system import System
from mft_common.transfer.commit_proof import CommitProof
from mqmft_svc.domain.managed_files import ManagedFile
from mqmft_svc.operations.managed.moving import FileMove, Work
from mqmft_svc.operations.managed.order import Order
from mqmft_svc.operations.managed.roots import Root
from mqmft_svc.operations.managed.trying import Trying
from tests.servers.managed_transfers import TOKEN, item, payload

SHA256 = "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73"


class Disk(System):
    """Fails to make folders durable with `error`, None for a disk that does; `source` is looked at before."""

    def __init__(self, error, source):
        self.there: list[bool] = []
        self._error = error
        self._source = source

    def sync(self, descriptor):
        self.there.append(self._source.exists())
        if self._error is not None:
            raise OSError(self._error, "no")
        super().sync(descriptor)


class Heard:
    """The reports of a run."""

    def delivered(self, file):
        """See Reports."""

    def ended(self, file):
        """See Reports."""
        self.file = file


@pytest.fixture
def move(tmp_path):
    """Return a function that goes on with a move whose file is at its destination, on a disk."""
    for name in ("from", "to"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a").write_bytes(b"content")

    def move(error):
        disk, heard = Disk(error, tmp_path / "from/a"), Heard()
        one = item("a", "a", source_options={"disposition": "delete"})
        order = Order.from_json(payload(Endpoints(folders=LocalFolders(tmp_path)), "file:from", "file:to", [one]))
        with closing(Root(order, "source")) as source, closing(Root(order, "destination")) as destination:
            destination.close()
            folder = os.open(tmp_path / "to", os.O_RDONLY | os.O_DIRECTORY)
            destination.endpoint = FileEndpoint(Folder(folder, system=disk), system=disk)
            proof = CommitProof(source.endpoint.stat("a"), SHA256, {"delivered_size": 7})
            work = Work(
                TOKEN, heard, {"source": source, "destination": destination}, Trying(threading.Event(), 0, recover=True)
            )
            file = ManagedFile(position=0, item=0, source="a", destination="a", state="moving")
            FileMove(work, one, file.changed(checkpoint=proof.as_json()), None).run()
        return disk, heard.file, (tmp_path / "from/a").exists()

    return move


@pytest.mark.parametrize("error", [None, errno.EINVAL])
def test_224_a_source_is_deleted_after_the_name_of_its_file_is_durable(move, error):
    """Items 224 and 225: the earlier run may have been killed before that; some file systems have no such call."""
    disk, file, stays = move(error)
    assert (disk.there, stays) == ([True], False)
    assert (file.state, file.description) == ("successful", "")


@pytest.mark.parametrize("error", [errno.EIO, errno.EROFS])
def test_224_a_source_stays_where_the_name_cannot_be_made_durable(move, error):
    """Items 224 and 225: the item is successful with a warning; the kernel reports a failed write once."""
    disk, file, stays = move(error)
    assert (disk.there, stays, file.state) == ([True], True, "warning")
    assert "may not survive a crash" in file.description
