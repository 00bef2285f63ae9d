"""Managed transfers with agents over the hub's own store, over a bucket, and over a server that changes bytes (4.D)."""

import hashlib
import os

import pytest

from mft_common.config import Reader
from mft_common.endpoints.folders import LocalFolders
from mft_common.endpoints.registry import Endpoints, read_endpoints
from tests.servers.diplomat_jobs import tree
from tests.servers.managed_transfers import item
from tests.servers.s3 import KEY_ID, SECRET, S3Server
from tests.servers.sick_sftp import PASSWORD, USER, Calls, SickSftp
from tests.service.mft_common.filestore_doubles import RealFilestore
from tests.service.mft_common.test_transfer_filestore import by_socket, new_lab
from tests.service.mqmft_svc.managed_worker import children, transfer

__all__ = ["children", "transfer"]

DELETE = {"disposition": "delete"}
DIRECTORY = {"type": "directory"}
OVER = {"recover": "", "stopped": False, "left": False}


def endpoints_of(tmp_path, given, environ):
    """Return endpoints with `far`."""
    reader = Reader(tmp_path, environ, data=tmp_path)
    found = read_endpoints({"endpoints": {"far": given}}, reader, tmp_path)
    assert reader.problems == []
    return found


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A server of buckets."""
    server = S3Server(tmp_path_factory.mktemp("s3"))
    yield server
    server.program.kill()


@pytest.fixture
def bucket(store, tmp_path):
    """Endpoints with `far`, a bucket of its own, and its name."""
    name = store.bucket()
    given = {"url": f"s3://{name}", "endpoint": store.url, "region": "us-east-1"}
    given |= {"key_id": {"env": "ID"}, "secret": {"env": "SECRET"}}
    return endpoints_of(tmp_path, given, {"ID": KEY_ID, "SECRET": SECRET}), name


def test_216_files_go_to_a_bucket_and_come_from_it(transfer, tmp_path, store, bucket):
    """Items 216, 218 and 224: small and large ones, by keys that begin with a slash or do not."""
    endpoints, name = bucket
    files = {"d/a": b"one", "d/sub/large": os.urandom(12 << 20)}
    tree_of_d = item("d", "/in", source_options={**DIRECTORY, "recursive": True}, destination_options=DIRECTORY)
    one = transfer(tree_of_d, item("d/a", "in/a"), files=files, endpoints=endpoints, destination="endpoint:far")
    assert one.run() == OVER
    assert one.states() == ["successful", "successful", "failed"]
    assert one.files[2].description.startswith("BFGIO0006E: ")
    assert store.keys(name) == ["in/a", "in/sub/large"]
    folder = tmp_path / "2"
    wanted = item("in/*", "out/", source_options={**DELETE, "recursive": True}), item("none", "x")
    two = transfer(*wanted, folder=folder, endpoints=endpoints, source="endpoint:far", destination="file:2/to")
    assert two.run() == OVER
    assert two.states() == ["successful", "successful", "failed"]
    assert tree(two.destination) == {f"out/{path.removeprefix('d/')}": content for path, content in files.items()}
    assert (store.keys(name), store.unfinished(name)) == ([], [])


@pytest.mark.parametrize("size", [10, 12 << 20])
@pytest.mark.parametrize("if_exists", ["error", "overwrite"])
def test_225_after_kill_9_at_any_message_a_bucket_has_the_object_once(
    transfer, tmp_path, store, bucket, if_exists, size
):
    """Item 225: a small object has no unfinished form; of a large one no upload is left."""
    endpoints, name = bucket
    content = os.urandom(size)
    for number in range(2, 5):
        folder = tmp_path / str(number)
        wanted = item("a", f"{number}", destination_options={"if_exists": if_exists})
        one = transfer(
            wanted, files={"a": content}, folder=folder, endpoints=endpoints, source=f"file:{number}/from",
            destination="endpoint:far",
        )  # fmt: skip
        one.refused = (number, False)
        one.killed()
        there = {
            each["Key"]: each["LastModified"] for each in store.client.list_objects_v2(Bucket=name).get("Contents", ())
        }
        assert one.run() == OVER
        assert one.one().state == "successful", one.one()
        found = store.client.get_object(Bucket=name, Key=f"{number}")
        assert found["Body"].read() == content
        assert there.get(f"{number}", found["LastModified"]) == found["LastModified"]
    assert (len(store.keys(name)), store.unfinished(name)) == (3, [])


class Lying(Calls):
    """Changes the first byte that is written, as often as the server's count says."""

    def write(self, file_obj, offset, data):
        """See SFTPServer."""
        if offset == 0 and self.server.count("lies") <= self.server.counts["most"]:
            data = bytes([data[0] ^ 1]) + data[1:]
        return super().write(file_obj, offset, data)


@pytest.mark.parametrize(("lies", "state", "tries"), [(1, "successful", 2), (99, "failed", 2)])
def test_223_bytes_that_changed_on_their_way_are_sent_again_and_then_fail(transfer, tmp_path, lies, state, tries):
    """Item 223: what was written is read back and compared before it gets its name; the source stays."""
    content = b"content of a file"
    with SickSftp(tmp_path / "far", Lying) as server:
        server.counts["most"] = lies
        given = {"url": f"sftp://{USER}@127.0.0.1:{server.port}/", "password": {"env": "PASSWORD"}}
        given["host_key"] = server.host_key
        endpoints = endpoints_of(tmp_path, given, {"PASSWORD": PASSWORD})
        wanted = item("a", "b", source_options=DELETE)
        one = transfer(wanted, files={"a": content}, endpoints=endpoints, destination="endpoint:far")
        assert one.run(retry_count=1, recover=True) == OVER
        file = one.one()
        assert (file.state, file.tries) == (state, tries)
    if state == "failed":
        assert file.description.startswith("BFGTR0072E: b: ")
        assert (tree(one.source), tree(tmp_path / "far")) == ({"a": content}, {})
    else:
        assert file.delivered_md5 == file.source_md5 == hashlib.md5(content, usedforsecurity=False).hexdigest()
        assert (tree(one.source), tree(tmp_path / "far")) == ({}, {"b": content})


def test_216_files_go_to_the_store_of_the_hub_and_come_from_it(transfer, tmp_path, tmp_path_factory):
    """Items 216 and 218: by their full paths, into its folders, and out of them by a wildcard."""
    data = tmp_path_factory.mktemp("store")
    store = RealFilestore(new_lab(data))
    try:
        with by_socket(store, data) as filestore:
            endpoints = Endpoints(folders=LocalFolders(tmp_path), filestore=filestore)
            files = {"a": b"one", "large": os.urandom(3 << 20)}
            wanted = item("a", "/in/b"), item("large", "in"), item("a", "none/b")
            one = transfer(*wanted, files=files, endpoints=endpoints, destination="filestore:")
            assert one.run() == OVER
            assert one.states() == ["successful", "successful", "failed"]
            assert store.content("/in/b") == b"one"
            wanted = item("in/*", "out/", source_options=DELETE), item("in", "d/", source_options=DIRECTORY)
            two = transfer(*wanted, folder=tmp_path / "2", endpoints=endpoints, source="filestore:")
            two.payload["destination"] = "file:2/to"
            assert two.run() == OVER
    finally:
        store.lab.close()
    assert two.states() == ["successful", "successful", "failed", "failed"]
    assert tree(two.destination) == {"out/b": b"one", "out/large": files["large"]}
    assert (store.content("/in/b"), store.content("/in/large")) == (None, None)
