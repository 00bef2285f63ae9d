"""Points 73 to 94: countelements and directories."""

import pytest

from filestore_svc.domain.files import FIXED
from tests.service.filestore_svc.filestore_lab import BASE
from tests.service.filestore_svc.vendor_words import E_AUTH, E_CONF, E_L, E_LPATH, E_SYN, refused, with_metadata

FILES = {"a.txt": 30, "b.txt": 3, "c.csv": 3, "Z": 1, "order_7.csv": 0}
EVERYTHING = ["Z", "a.txt", "b.txt", "c.csv", "closed", "order_7.csv", "sub"]
BOTH = pytest.mark.parametrize("call", ["countelements", "directories"])


@pytest.fixture
def full(lab):
    """A folder with five files and two folders."""
    for name, size in FILES.items():
        answer = lab.call("POST", "/2.0/files/in", **with_metadata(name, b"x" * size, f'{{"ship":"{name}!"}}'))
        assert answer.status_code == 201
    return lab


def _count(lab, query="", path="/in", account="part1"):
    answer = lab.get(f"/2.0/countelements{path}{query}", account)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    return answer.data.decode()


def _list(lab, query="", path="/in", account="part1"):
    answer = lab.get(f"/2.0/directories{path}{query}", account)
    assert answer.status_code == 200, answer.data
    return answer.json


def _names(lab, query="", path="/in", account="part1"):
    return [each["filename"] for each in _list(lab, query, path, account)["files"]]


def test_item_73_the_bare_number(full):
    """73, D13: digits only; the root counts folders on which the account has any right (S8)."""
    assert [_count(full), _count(full, "", "/in/"), _count(full, "", "/out")] == ["7", "7", "0"]
    assert [_count(full, "", "", who) for who in ("part1", "reader1", "stranger")] == ["3", "1", "0"]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("*", EVERYTHING),
        ("", EVERYTHING),
        ("*.txt", ["a.txt", "b.txt"]),
        ("_.txt", ["a.txt", "b.txt"]),
        ("a._", ["a.txt"]),
        ("_", EVERYTHING),
        ("order_7.csv", ["order_7.csv"]),
        ("order*", ["order_7.csv"]),
        ("s*b", ["sub"]),
        ("A.txt", []),
        ("?.txt", []),
        ("[ab].txt", []),
        ("%25.txt", []),
        ("a.tx", []),
        ("*%00*", []),
        ("%ff", []),
        ("C*&filter=*", []),
    ],
)
def test_item_74_90_the_filter(full, pattern, names):
    """74, 90, D1: anchored at both ends, case-sensitive, all but the wildcards literal, for folders too."""
    assert _names(full, f"?direction=asc&filter={pattern}") == names
    assert _count(full, f"?filter={pattern}") == str(len(names))


@pytest.mark.parametrize(
    ("kind", "number"), [("all", "7"), ("files", "5"), ("folders", "2"), ("FILES", "5"), (None, "7")]
)
def test_item_75_89_the_type(full, kind, number):
    """75, 89: all by default."""
    query = f"?type={kind}" if kind else ""
    assert _count(full, query) == _list(full, query)["totalCount"] == number


@BOTH
def test_item_76_92_no_contract(full, call):
    """76, 92: E-CONF, at the root too."""
    for path in ("/in", ""):
        assert refused(full.get(f"/2.0/{call}{path}", "nocontract")) == E_CONF


@BOTH
def test_item_77_91_no_session(full, call):
    """77, 91: E-AUTH."""
    assert refused(full.get(f"/2.0/{call}/in", None)) == E_AUTH


@BOTH
@pytest.mark.parametrize(
    ("path", "account"), [("/in", "reader1"), ("/in/no", "reader1"), ("/in/closed", "part1"), ("/in/..", "reader1")]
)
def test_item_78_93_no_list_right(full, call, path, account):
    """78, 93: E-L, of the nearest folder that exists."""
    assert refused(full.get(f"/2.0/{call}{path}", account)) == E_L


@BOTH
@pytest.mark.parametrize(
    "path", ["/nosuch", "/in/no", "/in/a.txt", "/in/..", "//", "/in//", "/%ff", "/in/%00", "/in/%2e%2e/out"]
)
def test_item_79_94_no_such_folder(full, call, path):
    """79, 94: E-LPATH, without the path."""
    assert refused(full.get(f"/2.0/{call}{path}")) == E_LPATH


@pytest.mark.parametrize("path", ["", "/"])
def test_item_80_the_root(full, path):
    """80, S8: the top-level folders on which the account has any right, for every account with a contract."""
    assert _names(full, "?direction=asc", path) == ["in", "inbox", "out"]
    assert _names(full, "", path, "reader1") == ["inbox"]
    assert _names(full, "?type=files", path) == []
    assert _list(full, "", path, "stranger")["totalCount"] == "0"
    assert full.get("/2.0/directories/in/").data == full.get("/2.0/directories/in").data


def test_item_80_the_members(full):
    """80: exactly uri, totalCount, which is a text, and files."""
    body = _list(full)
    assert list(body) == ["uri", "totalCount", "files"]
    assert (body["uri"], body["totalCount"]) == (f"{BASE}/2.0/directories/in", "7")


def test_item_81_a_folder(full):
    """81: no fileset, no metaUri, ten empty attributes."""
    (folder,) = _list(full, "?filter=sub")["files"]
    assert list(folder) == ["id", "uri", "filename", "owner", "directory", "attributes"]
    assert folder == {
        "id": "/in/sub",
        "uri": f"{BASE}/2.0/directories/in/sub",
        "filename": "sub",
        "owner": "",
        "directory": True,
        "attributes": dict.fromkeys(FIXED, ""),
    }


def test_item_82_a_file(full):
    """82: with fileset, metaUri, and the size as a text."""
    (file,) = _list(full, "?filter=a.txt")["files"]
    assert list(file) == ["id", "uri", "metaUri", "filename", "fileset", "owner", "directory", "attributes"]
    assert (file["id"], file["owner"], file["directory"]) == ("/in/a.txt", "", False)
    assert file["metaUri"] == f"{BASE}/2.0/metadata/in/a.txt"
    shown = file["attributes"]
    assert (shown["size"], shown["firstReadDate"], shown["lastAccessTime"]) == ("30", "", "")
    assert shown["putDate"] >= shown["lastModifiedTime"] >= shown["creationTime"] > ""
    assert full.get(f"/2.0/fileset/{file['fileset']}").data == b"x" * 30


def test_item_83_the_fixed_ten(full):
    """83: no custom ones unless they are asked for."""
    for query in ("", "?attributes=", "?attributes=%20,%20"):
        for each in _list(full, query)["files"]:
            assert tuple(each["attributes"]) == FIXED


def test_item_84_chosen_attributes(full):
    """84, S31: only these, custom ones and sha256 too; what an element lacks is empty."""
    full.call(
        "POST", "/2.0/metadata/in/a.txt", data='{"sha256":"forged"}', headers={"Content-Type": "application/json"}
    )
    files = _list(full, "?filter=a.txt&attributes=ship,%20size%20,sha256,none")["files"]
    digest = full.get("/2.0/files/in/a.txt").headers["ETag"].strip('"')
    assert [each["attributes"] for each in files] == [{"ship": "a.txt!", "size": "30", "sha256": digest, "none": ""}]
    (folder,) = _list(full, "?filter=sub&attributes=ship,size")["files"]
    assert folder["attributes"] == {"ship": "", "size": ""}


def test_attributes_are_not_asked_for_by_the_thousand(full):
    """84: as many as a file can have and more, each once however often it is named; beyond that E-SYN."""
    many = ",".join(f"k{number}" for number in range(100))
    assert len(_list(full, f"?attributes={many},k1,k1")["files"][0]["attributes"]) == 100
    assert full.get(f"/2.0/directories/in?attributes={many},one-more").status_code == 400


@pytest.mark.parametrize("direction", ["asc", "desc"])
@pytest.mark.parametrize(
    ("sort", "groups"),
    [
        ("name", [[name] for name in EVERYTHING]),
        ("size", [["closed", "sub"], ["order_7.csv"], ["Z"], ["b.txt", "c.csv"], ["a.txt"]]),
        ("put_date", [["closed", "sub"], ["a.txt"], ["b.txt"], ["c.csv"], ["Z"], ["order_7.csv"]]),
        ("read_date", [["Z", "b.txt", "closed", "order_7.csv", "sub"], ["c.csv"], ["a.txt"]]),
        ("expiry_date", [EVERYTHING]),
    ],
)
def test_item_85_the_sorts(full, sort, groups, direction):
    """85, D12, D15: empty keys are the lowest, and equal ones go by name, whatever the direction."""
    for name, size in FILES.items():
        full.later(hours=1)
        full.put(f"/2.0/files/in/{name}", b"x" * size)
    for name in ("c.csv", "a.txt"):
        full.later(hours=1)
        full.get(f"/2.0/files/in/{name}")
    full.service.recorder.flush()
    wanted = groups if direction == "asc" else groups[::-1]
    assert _names(full, f"?sort={sort}&direction={direction}") == [name for group in wanted for name in group]


def test_item_86_the_direction(full):
    """86: DESC by default, in either case."""
    assert _names(full) == _names(full, "?direction=DESC") == _names(full, "?direction=desc") == EVERYTHING[::-1]
    assert _names(full, "?direction=ASC") == EVERYTHING


def test_item_87_the_start(full):
    """87: 0 by default; totalCount does not know of it (D14)."""
    assert _names(full, "?direction=asc&start=0") == EVERYTHING
    assert _names(full, "?direction=asc&start=5") == EVERYTHING[5:]
    for start in ("7", "9" * 23):
        beyond = _list(full, f"?start={start}")
        assert (beyond["files"], beyond["totalCount"]) == ([], "7")
    assert _names(full, "?start=2&limit=2") == ["closed", "c.csv"]
    assert _list(full, "?filter=*.txt&start=1&limit=0")["totalCount"] == "2"


def test_item_88_the_limit(lab):
    """88, S31: 500 by default; none for 0, with the true totalCount; more than 10,000 is no mistake."""
    for number in range(502):
        lab.put(f"/2.0/files/out/{number}", b"")
    assert len(_names(lab, "", "/out")) == 500
    assert len(_names(lab, "?limit=10001", "/out")) == 502
    assert _names(lab, "?limit=1&direction=asc", "/out") == ["0"]
    none = _list(lab, "?limit=0", "/out")
    assert (none["files"], none["totalCount"]) == ([], "502")


@pytest.mark.parametrize("direction", ["asc", "desc"])
@pytest.mark.parametrize("sort", ["name", "size", "put_date", "read_date", "expiry_date"])
def test_item_85_to_88_the_pages_together_are_the_whole(lab, sort, direction):
    """85, 86, 87, 88, D12: paging with each sort and direction shows every element once, in one order."""
    for number in range(10):
        lab.put(f"/2.0/files/out/{number:02d}", b"x" * (number % 3))
    query = f"?sort={sort}&direction={direction}"
    shown = [name for start in range(0, 12, 4) for name in _names(lab, f"{query}&start={start}&limit=4", "/out")]
    assert shown == _names(lab, query, "/out")
    assert len(set(shown)) == 10


@BOTH
@pytest.mark.parametrize("query", ["type=x", "type=", "type=file"])
def test_a_bad_type(full, call, query):
    """D21: E-SYN, after the contract and before the right."""
    assert refused(full.get(f"/2.0/{call}/in?{query}", "reader1")) == E_SYN
    assert refused(full.get(f"/2.0/{call}/in?{query}", "nocontract")) == E_CONF


@pytest.mark.parametrize("query", ["sort=x", "direction=up", "start=-1", "start=1.5", "limit=", "limit=x", "limit=+1"])
def test_bad_queries(full, query):
    """D21: E-SYN."""
    assert refused(full.get(f"/2.0/directories/in?{query}")) == E_SYN


def test_repeated_and_unknown_parameters(full):
    """D21: the first of a repeated parameter counts, and unknown ones do not."""
    assert _names(full, "?limit=1&direction=asc&limit=x&nonsense=1") == ["Z"]
