"""3.13: GET /2.0/directories/<path>."""

import pytest

from filestore_svc.domain.files import FIXED
from tests.service.filestore_svc.filestore_lab import BASE

EMPTY = dict.fromkeys(FIXED, "")


@pytest.fixture
def full(lab):
    """A folder with five files and two folders."""
    for name, size in (("b.txt", 3), ("a.txt", 30), ("c.csv", 3), ("Z", 1), ("order_7.csv", 2)):
        assert lab.put(f"/2.0/files/in/{name}", b"x" * size).status_code == 201
    return lab


def _names(answer):
    assert answer.status_code == 200, answer.data
    return [each["filename"] for each in answer.json["files"]]


def test_members(full):
    """80 to 83: exactly these members, in this order; totalCount is a text."""
    body = full.get("/2.0/directories/in").json
    assert list(body) == ["uri", "totalCount", "files"]
    assert (body["uri"], body["totalCount"]) == (f"{BASE}/2.0/directories/in", "7")
    by_name = {each["filename"]: each for each in body["files"]}
    folder, file = by_name["sub"], by_name["a.txt"]
    uri = f"{BASE}/2.0/directories/in/sub"
    assert folder == {
        "id": "/in/sub",
        "uri": uri,
        "filename": "sub",
        "owner": "",
        "directory": True,
        "attributes": EMPTY,
    }
    assert list(file) == ["id", "uri", "metaUri", "filename", "fileset", "owner", "directory", "attributes"]
    assert (file["id"], file["uri"]) == ("/in/a.txt", f"{BASE}/2.0/files/in/a.txt")
    assert (file["metaUri"], file["owner"], file["directory"]) == (f"{BASE}/2.0/metadata/in/a.txt", "", False)
    assert isinstance(file["fileset"], int)
    assert tuple(file["attributes"]) == FIXED
    assert file["attributes"]["size"] == "30"
    dates = file["attributes"]
    assert dates["putDate"] >= dates["lastModifiedTime"] >= dates["creationTime"] > ""
    assert dates["firstReadDate"] == dates["lastAccessTime"] == ""


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["sub", "order_7.csv", "closed", "c.csv", "b.txt", "a.txt", "Z"]),
        ("direction=ASC", ["Z", "a.txt", "b.txt", "c.csv", "closed", "order_7.csv", "sub"]),
        ("sort=size", ["a.txt", "b.txt", "c.csv", "order_7.csv", "Z", "closed", "sub"]),
        ("sort=size&direction=asc", ["closed", "sub", "Z", "order_7.csv", "b.txt", "c.csv", "a.txt"]),
        ("sort=put_date&type=files", ["order_7.csv", "Z", "c.csv", "a.txt", "b.txt"]),
        ("sort=read_date&type=files", ["Z", "a.txt", "b.txt", "c.csv", "order_7.csv"]),
        ("sort=expiry_date&type=folders", ["closed", "sub"]),
        ("type=folders", ["sub", "closed"]),
        ("filter=*.txt", ["b.txt", "a.txt"]),
        ("filter=_.csv", ["order_7.csv", "c.csv"]),
        ("filter=c*", ["closed", "c.csv"]),
        ("filter=", ["sub", "order_7.csv", "closed", "c.csv", "b.txt", "a.txt", "Z"]),
        ("filter=C*&filter=*", []),
        ("start=2&limit=2", ["closed", "c.csv"]),
        ("limit=0", []),
        ("start=99999999999999999999999", []),
        ("filter=%00", []),
        ("filter=%ff", []),
        ("unknown=x&limit=1", ["sub"]),
    ],
)
def test_sorting_filtering_and_paging(full, query, names):
    """84 to 90, D1, D12, D21: one sequence of folders and files, stable whatever the direction."""
    assert _names(full.get(f"/2.0/directories/in?{query}")) == names or (
        # Files put within the same millisecond are in the order of their names.
        "put_date" in query and sorted(_names(full.get(f"/2.0/directories/in?{query}"))) == sorted(names)
    )


def test_the_total_knows_the_filter_and_not_the_page(full):
    """D14: what matches, before start and limit."""
    assert full.get("/2.0/directories/in?filter=*.txt&start=1&limit=0").json["totalCount"] == "2"


def test_attributes(full):
    """84: only those that were asked for, empty where the element lacks one."""
    files = full.get("/2.0/directories/in?filter=Z&attributes=size,%20sha256%20,none").json["files"]
    assert list(files[0]["attributes"]) == ["size", "sha256", "none"]
    assert (files[0]["attributes"]["size"], files[0]["attributes"]["none"]) == ("1", "")
    assert len(files[0]["attributes"]["sha256"]) == 64
    folders = full.get("/2.0/directories/in?type=folders&attributes=size").json["files"]
    assert [each["attributes"] for each in folders] == [{"size": ""}, {"size": ""}]


@pytest.mark.parametrize("path", ["", "/"])
def test_the_root(full, path):
    """S8: the top-level folders on which the account has any right, for everybody with a contract."""
    assert _names(full.get(f"/2.0/directories{path}?direction=asc")) == ["in", "inbox", "out"]
    assert _names(full.get(f"/2.0/directories{path}", "reader1")) == ["inbox"]
    assert _names(full.get(f"/2.0/directories{path}?type=files")) == []
    assert full.get(f"/2.0/directories{path}", "stranger").json["totalCount"] == "0"


def test_a_trailing_slash_changes_nothing(full):
    """S7: one slash at the end means the folder that it follows."""
    assert full.get("/2.0/directories/in/").data == full.get("/2.0/directories/in").data


@pytest.mark.parametrize(
    ("path", "account", "status", "message"),
    [
        ("/in", None, 401, "Invalid username or password"),
        ("/in", "nocontract", 401, "Connection contract not configured"),
        ("", "nocontract", 401, "Connection contract not configured"),
        ("/in", "reader1", 403, "No list permission"),
        ("/in/nosuch", "reader1", 403, "No list permission"),
        ("/in/closed", "part1", 403, "No list permission"),
        ("/in/nosuch", "part1", 404, "Path doesn't exist"),
        ("/nosuch", "reader1", 404, "Path doesn't exist"),
        ("/in/a.txt", "part1", 404, "Path doesn't exist"),
        ("//", "part1", 404, "Path doesn't exist"),
        ("/..", "part1", 404, "Path doesn't exist"),
        ("/in/%2e%2e/out", "part1", 404, "Path doesn't exist"),
        ("/in?limit=-1", "part1", 400, "Missing parameters or syntax error"),
        ("/in?limit=-1", "reader1", 400, "Missing parameters or syntax error"),
        ("/in?sort=x", "nocontract", 401, "Connection contract not configured"),
    ],
)
def test_refused_listings(full, path, account, status, message):
    """91 to 94, D21, in the order of S1."""
    answer = full.get(f"/2.0/directories{path}", account)
    assert (answer.status_code, answer.json["message"]) == (status, message)


def test_every_page_together_is_the_whole(lab):
    """Paging with each sort and direction shows every element once."""
    for number in range(25):
        lab.put(f"/2.0/files/out/{number:02d}", b"x" * (number % 3))
    for sort in ("name", "size", "put_date", "read_date", "expiry_date"):
        for direction in ("asc", "desc"):
            query = f"/2.0/directories/out?sort={sort}&direction={direction}"
            pages = [_names(lab.get(f"{query}&start={start}&limit=4")) for start in range(0, 28, 4)]
            shown = [name for page in pages for name in page]
            assert shown == _names(lab.get(query))
            assert len(set(shown)) == 25
