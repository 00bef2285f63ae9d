"""Resumable uploads, quotas and retention behave alike over PostgreSQL and SQLite."""

import threading

import pytest

from tests.service.filestore_svc.filestore_lab import ALL, Lab, form
from tests.service.filestore_svc.test_resumable_uploads import TUS, head, location, patch


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request, tmp_path):
    """Return the service over either database, with a quota and a retention."""
    url = request.getfixturevalue("postgresql_url") if request.param == "postgresql" else ""
    folders = {
        "/in": {"access": {"part1": ALL}, "quota": 10_000},
        "/in/sub": {"quota": 5_000, "retention": {"after_put": "1h", "after_get": "1m"}},
    }
    made = Lab(tmp_path, database_url=url, folders=folders)
    yield made
    made.close()


def test_a_resumable_upload(store):
    """It goes on after a restart and becomes a file; another one is ended by its owner."""
    where, other = location(store), location(store, "/in/b")
    patch(store, where, 0, b"01234")
    store.close()
    store.open()
    assert head(store, where).headers["Upload-Offset"] == "5"
    assert "Fileset" in patch(store, where, 5, b"56789").headers
    assert store.call("DELETE", other, headers=TUS).status_code == 204
    assert sorted(event["state"] for event in store.events("transfer.ended.v1")) == ["cancelled", "successful"]
    store.later(hours=25)
    assert store.service.resuming.expire() == 1


def test_writers_share_a_quota_to_the_byte(store):
    """Of twenty concurrent writers of a tenth of it each, ten are stored, and nothing is left of the others."""
    told = []

    def write(number):
        answer = store.call(
            "PUT", f"/2.0/files/in/{number}", data=form(b"x" * 1000), content_type="multipart/form-data; boundary=XbX"
        )
        told.append(answer.status_code)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == [201] * 10 + [507] * 10
    assert len(store.blobs()) == 10


def test_writers_share_an_accounts_quota_to_the_byte(store):
    """Writers with raw bodies share it over two folders; the bytes of a deleted file can be used again."""
    store.document["http_mft"] |= {"raw_put": True}
    store.document["accounts"] = {"part1": {"grants": {"http_mft": {"contract": "std", "quota": 6_000}}}}
    store.close()
    store.open()
    told = []

    def write(number):
        path = f"/2.0/files/in{'/sub' if number % 2 else ''}/{number}"
        told.append(store.call("PUT", path, data=b"x" * 1000, content_type="text/plain").status_code)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == [201] * 6 + [507] * 14
    where = location(store, "/in/pieces", length=0)
    assert store.call("PUT", "/2.0/files/in/one", data=b"x", content_type="text/plain").status_code == 507
    assert store.call("DELETE", "/2.0/files/in/pieces").status_code == 200
    assert head(store, where).headers["Upload-Offset"] == "0"
    names = [each["id"] for each in store.get("/2.0/directories/in?type=files").json["files"]]
    assert store.call("DELETE", f"/2.0/files{names[0]}").status_code == 200
    assert store.call("PUT", "/2.0/files/in/one", data=b"x" * 1000, content_type="text/plain").status_code == 201


def test_files_expire(store):
    """They expire earlier after a first read than after the upload; the sweeper gives their bytes back."""
    store.put("/2.0/files/in/sub/a", b"x" * 5_000)
    store.put("/2.0/files/in/b", b"x")
    store.get("/2.0/files/in/sub/a")
    store.service.recorder.flush()
    store.later(hours=0.5)
    assert store.get("/2.0/files/in/sub/a").status_code == 404
    assert store.put("/2.0/files/in/sub/b", b"x").status_code == 507
    assert store.service.sweeping.expired() == 1
    assert store.put("/2.0/files/in/sub/b", b"x").status_code == 201
    assert [event["reason"] for event in store.events("file.deleted.v1")] == ["expired"]
