"""filestore-svc behaves alike over PostgreSQL and SQLite."""

import json
import threading

import pytest

from mft_common import environ_keys
from tests.service.filestore_svc.filestore_lab import Lab, form, identity_of

NAMES = ("b.txt", "a.txt", "%C3%A9", "Z", "order_7.csv", "50%25")


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request, tmp_path):
    """Return the service over either database."""
    url = request.getfixturevalue("postgresql_url") if request.param == "postgresql" else ""
    made = Lab(tmp_path, database_url=url)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("direction=asc", ["50%", "Z", "a.txt", "b.txt", "closed", "order_7.csv", "sub", "é"]),
        ("type=files&filter=*.txt", ["b.txt", "a.txt"]),
        ("filter=order_7*", ["order_7.csv"]),
        ("filter=*%25", ["50%"]),
        ("filter=_.csv", ["order_7.csv"]),
        ("sort=size&direction=asc&limit=3", ["closed", "sub", "50%"]),
    ],
)
def test_listings_are_alike(store, query, names):
    """Names sort by code point, and patterns mean the same, on every database (S31, D1)."""
    for name in NAMES:
        assert store.put(f"/2.0/files/in/{name}", b"x").status_code == 201
    assert [each["filename"] for each in store.get(f"/2.0/directories/in?{query}").json["files"]] == names


def test_writers_of_one_name(store):
    """Concurrent uploads to one name each get their own id, and one content stays (S16)."""
    told = []

    def write(number):
        client = store.client.application.test_client()
        for _ in range(10):
            environ = {environ_keys.IDENTITY: identity_of("part1"), "CONTENT_TYPE": "multipart/form-data; boundary=XbX"}
            answer = client.put("/2.0/files/in/raced", data=form(b"%d" % number), environ_overrides=environ)
            told.append((answer.status_code, answer.json.get("fileset")))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {status for status, _ in told} == {201}
    assert len({fileset for _, fileset in told}) == 80
    assert store.get("/2.0/directories/in?type=files").json["totalCount"] == "1"
    replaced = [event.get("replaced") for event in store.events("file.stored.v1")]
    assert len(set(replaced)) == 80
    store.service.sweeping.delete_blobs(-1)
    assert len(store.blobs()) == 1


def test_metadata_by_path_and_by_id(store):
    """Attributes are added, replaced and counted alike on every database (45, 60, S24)."""
    fileset = store.put("/2.0/files/in/described").json["fileset"]
    headers = {"Content-Type": "application/json"}
    for path in ("/2.0/metadata/in/described", f"/2.0/metadatabyid/{fileset}"):
        for body, status in (('{"b":"1","Z":"1","description":"d"}', 200), ('{"b":"2"}', 200), ("{}", 200)):
            assert store.call("POST", path, data=body, headers=headers).status_code == status
    many = json.dumps({f"k{number}": "" for number in range(63)})
    assert store.call("POST", "/2.0/metadata/in/described", data=many, headers=headers).status_code == 400
    found = store.get(f"/2.0/metadatabyid/{fileset}").json["metadata"]
    assert [*found][10:] == ["Z", "b"]
    assert (found["b"], found["Z"], found["description"]) == ("2", "1", "d")


def test_ids_beyond_every_database(store):
    """D22: a number that is too large for any column is E-ID, without a query."""
    for text in ("9223372036854775808", "9007199254740992", "9" * 30):
        assert store.get(f"/2.0/fileset/{text}").json["message"] == f"{text} doesn't exist"
