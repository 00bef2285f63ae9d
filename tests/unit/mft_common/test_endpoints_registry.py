"""The one place that opens every kind of endpoint."""

import json
from pathlib import Path

import pytest

from mft_common.config import Reader
from mft_common.endpoints import registry
from mft_common.endpoints.errors import BadName, Denied, TransferError, Transient
from mft_common.endpoints.filestore import Filestore
from mft_common.endpoints.registry import Endpoints, read_endpoints

PIN = "SHA256:" + "A" * 43


@pytest.mark.parametrize("scheme", ["sftp", "ftp", "ftps", "s3", "http", "https"])
def test_every_kind_has_a_function_that_opens_it(scheme):
    """The module of each network scheme has its `open_KIND`."""
    assert callable(registry._opener(scheme))


def read(document, data, **environ):
    """Return the endpoints of a configuration and its problems."""
    reader = Reader(data, environ)
    return read_endpoints(document, reader, data, Filestore("unix:/x", ("a key",))), sorted(reader.problems)


def test_a_configuration_is_read_and_handed_to_a_child(tmp_path):
    """Endpoints survive the way through JSON; a child gets the secrets of those that it needs, and no others."""
    section = {
        "acme": {"url": "sftp://u@h/x", "password": {"env": "A"}, "host_key": PIN},
        "other": {"url": "ftp://u@h/x", "password": {"env": "B"}},
    }
    found, problems = read({"endpoints": section, "allowed_folders": ["/srv/x"]}, tmp_path, A="first", B="second")
    assert problems == []
    assert "first" not in repr(found)
    assert "a key" not in repr(found)
    sent = json.dumps(found.only("endpoint:acme/sub", "file:a").to_json())
    assert "first" in sent
    assert "second" not in sent
    child = Endpoints.from_json(json.loads(sent))
    assert child.find("endpoint:acme/sub") == found.find("endpoint:acme/sub")
    assert "a key" not in sent
    assert child.filestore is None
    assert child.folders == found.folders
    with pytest.raises(BadName):
        child.find("endpoint:other")


@pytest.mark.parametrize("url", ["filestore:/in", "endpoint:store/in"])
def test_a_child_that_needs_filestore_gets_its_keys(tmp_path, url):
    """The keys of filestore reach a child one of whose URLs is of filestore, by itself or by a name."""
    found, problems = read({"endpoints": {"store": {"url": "filestore:/"}}}, tmp_path)
    assert problems == []
    child = Endpoints.from_json(json.loads(json.dumps(found.only(url, "file:a").to_json())))
    assert child.filestore == found.filestore


def test_folders_that_no_endpoint_may_reach_are_named(tmp_path):
    """Folders outside the data folder and the allowed ones are problems with their paths, and Denied."""
    document = {"endpoints": {"out": {"url": "file:/etc"}}, "allowed_folders": ["relative"]}
    found, problems = read(document, tmp_path)
    assert [problem.partition(": ")[0] for problem in problems] == ["allowed_folders", "endpoints.out.url"]
    with pytest.raises(Denied):
        found.open("file:/etc")
    assert found.problem_of("file:state") != ""
    for wrong in ({"endpoints": []}, {"endpoints": ["x"]}, {"allowed_folders": [1]}):
        assert len(read(wrong, tmp_path)[1]) == (0 if wrong == {"endpoints": []} else 1)


def test_local_kinds_are_opened(tmp_path):
    """A missing folder is made where that is asked for; filestore needs a way to it."""
    endpoints, _ = read({}, tmp_path)
    with pytest.raises(TransferError):
        endpoints.open("file:new")
    with endpoints.open("file:new", create=True) as opened:
        assert opened.features.folders
    assert Path(tmp_path / "new").is_dir()
    with endpoints.open("filestore:/in", "00" * 24) as opened:
        assert opened.features.visible_at_commit
    with pytest.raises(Transient):
        Endpoints().open("filestore:/in")


def test_hosts_of_redirects_are_read_and_handed_to_a_child(tmp_path):
    """`redirects` names hosts for http and https alone; a child gets them back as they were."""
    hosts = ["cdn.example.org", "*.example.net:8443", "*", "*:81", "[::1]:80"]
    found, problems = read({"endpoints": {"web": {"url": "https://h/x", "redirects": hosts}}}, tmp_path)
    assert problems == []
    child = Endpoints.from_json(json.loads(json.dumps(found.only("endpoint:web").to_json())))
    assert child.find("endpoint:web").redirects == tuple(hosts)


@pytest.mark.parametrize("wrong", ["https://cdn.example.org", "a b", "", "x/y", "a.*", "host:port"])
def test_an_entry_of_redirects_that_names_no_host_is_a_problem(tmp_path, wrong):
    """It is named by its place in the configuration."""
    _, problems = read({"endpoints": {"web": {"url": "https://h/x", "redirects": [wrong]}}}, tmp_path)
    assert [problem.startswith("endpoints.web.redirects") for problem in problems] == [True]
    _, problems = read({"endpoints": {"web": {"url": "file:x", "redirects": ["host"]}}}, tmp_path)
    assert "endpoints.web.redirects: has no meaning for file:" in problems
