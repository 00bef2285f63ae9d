"""The files of the items of a managed transfer between two folders (217-219)."""

import os
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mft_common.endpoints.folders import LocalFolders
from mft_common.endpoints.registry import Endpoints
from mqmft_svc.operations.managed.finding import files_of
from mqmft_svc.operations.managed.order import Order
from mqmft_svc.operations.managed.roots import Root
from mqmft_svc.operations.managed.spool import Spool
from tests.servers.managed_transfers import item, payload

DIRECTORY = {"type": "directory"}
RECURSIVE = {"recursive": True}
SEVERAL = "BFGTR0072E: The item has several files, and its destination is no directory."


@pytest.fixture
def find(tmp_path):
    """Return a function that makes the files of a source, and finds those of an item."""
    (tmp_path / "from").mkdir()
    (tmp_path / "to").mkdir()

    def find(one, files=()):
        for name in files:
            path = tmp_path / "from" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(name.encode())
        endpoints = Endpoints(folders=LocalFolders(tmp_path))
        order = Order.from_json(payload(endpoints, "file:from", "file:to", [one]))
        with (
            closing(Root(order, "source")) as source,
            closing(Root(order, "destination")) as destination,
            closing(Spool(tmp_path / "private")) as spool,
        ):
            return list(files_of(one, source, destination, spool))

    return find


def ways(found):
    """Return from where to where the files go, none of which has failed."""
    assert [one.failure for one in found if one.failure] == []
    return [(one.source, one.destination) for one in found]


def failures(found):
    """Return why the files cannot be moved, none of which can."""
    assert all(one.failure for one in found)
    return [one.failure for one in found]


def test_218_one_file_to_one_file(find):
    """Item 218: and how it was listed."""
    (found,) = find(item("in/a.txt", "out//b.txt"), ["in/a.txt"])
    assert (found.source, found.destination, found.failure) == ("in/a.txt", "out/b.txt", "")
    assert (found.entry.path, found.entry.size) == ("in/a.txt", 8)


@pytest.mark.parametrize(
    ("name", "options", "made", "target"),
    [
        ("out/", {}, (), "out/a.txt"),
        ("out", DIRECTORY, (), "out/a.txt"),
        ("out", {}, ["out"], "out/a.txt"),
        (".", {}, (), "a.txt"),
        ("/", DIRECTORY, (), "a.txt"),
    ],
)
def test_218_one_file_to_a_directory_keeps_its_name(find, tmp_path, name, options, made, target):
    """Item 218: a directory is one that is asked for, that ends in a slash, or that is there."""
    for folder in made:
        (tmp_path / "to" / folder).mkdir()
    if name == "/":
        name = os.fspath(tmp_path / "to")
    assert ways(find(item("in/a.txt", name, destination_options=options), ["in/a.txt"])) == [("in/a.txt", target)]


TREE = ["d/b", "d/a", "d/.hidden", "d/sub/c", "d/sub/deep/a", "d.txt"]


def test_218_a_directory_gives_its_files(find):
    """Item 218: by their names, hidden ones too, and those of the folders below only where asked."""
    found = find(item("d", "out", source_options=DIRECTORY, destination_options=DIRECTORY), TREE)
    assert ways(found) == [("d/.hidden", "out/.hidden"), ("d/a", "out/a"), ("d/b", "out/b")]


def test_218_a_directory_gives_its_tree_without_empty_directories(find, tmp_path):
    """Item 218: with the relative paths of the files."""
    (tmp_path / "from" / "d" / "empty").mkdir(parents=True)
    found = find(item("d/", "out/", source_options={**DIRECTORY, **RECURSIVE}), TREE)
    below = [".hidden", "a", "b", "sub/c", "sub/deep/a"]
    assert ways(found) == [(f"d/{name}", f"out/{name}") for name in below]


def test_218_the_root_is_a_directory(find):
    """Item 218: by any of its names."""
    one = item("/", "/", source_options={**DIRECTORY, **RECURSIVE})
    (failed,) = failures(find(one, ["d/a", "b"]))
    assert failed.startswith("BFGIO0056E: /: is not inside")
    found = find(item(".", "./", source_options={**DIRECTORY, **RECURSIVE}))
    assert ways(found) == [("b", "b"), ("d/a", "d/a")]


def test_218_an_empty_directory_has_no_file_and_does_not_fail(find, tmp_path):
    """Items 97 and 218: there is nothing to transfer."""
    (tmp_path / "from" / "d").mkdir()
    assert find(item("d", "out/", source_options=DIRECTORY)) == []


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("d/*.txt", ["d/a.txt", "d/b.txt"]),
        ("d/?.txt", ["d/a.txt", "d/b.txt"]),
        ("d/*", ["d/a.txt", "d/b.txt", "d/c"]),
        ("d/.*", ["d/.e.txt"]),
        ("d/[ab].txt", None),
        ("*/a.txt", None),
    ],
)
def test_218_a_wildcard_matches_in_the_last_part_of_the_name(find, pattern, names):
    """Item 218: hidden files only where the pattern begins with a dot."""
    found = find(item(pattern, "out/"), ["d/b.txt", "d/a.txt", "d/c", "d/.e.txt", "d/sub/a.txt"])
    if names is None:
        assert failures(found)[0].startswith("BFGIO0001E: ")
    else:
        assert ways(found) == [(name, f"out/{name.removeprefix('d/')}") for name in names]


def test_218_a_recursive_wildcard_reaches_into_the_folders_below(find):
    """Item 218: not into hidden ones."""
    files = ["d/a.txt", "d/sub/b.txt", "d/sub/c", "d/.git/d.txt"]
    found = find(item("d/*.txt", "out/", source_options=RECURSIVE), files)
    assert ways(found) == [("d/a.txt", "out/a.txt"), ("d/sub/b.txt", "out/sub/b.txt")]


@pytest.mark.parametrize("source", [{"name": "d/*"}, {"name": "d", **DIRECTORY}])
def test_218_several_files_to_one_file_all_fail(find, source):
    """Item 218: each says so, and a single one may take the name."""
    name, options = source["name"], {key: value for key, value in source.items() if key != "name"}
    one = item(name, "out.txt", source_options=options)
    assert ways(find(one, ["d/a"])) == [("d/a", "out.txt")]
    found = find(one, ["d/b"])
    assert failures(found) == [SEVERAL, SEVERAL]
    assert [one.source for one in found] == ["d/a", "d/b"]


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        ("missing", {}, "BFGIO0001E: missing: does not exist."),
        ("missing/a", {}, "BFGIO0001E: "),
        ("missing/*", {}, "BFGIO0001E: "),
        ("d/*.zip", {}, "BFGIO0001E: d/*.zip: no file has such a name."),
        ("missing", DIRECTORY, "BFGIO0001E: "),
        ("d", {}, "BFGTR0072E: d: is a directory, and the source's type is file."),
        ("d/a", DIRECTORY, "BFGTR0072E: d/a: is a file and no directory."),
        ("d/a/b", {}, "BFGTR0072E: "),
        ("x" * 300, {}, "BFGTR0072E: "),
    ],
)
def test_219_a_name_that_matches_nothing_is_one_failed_file(find, name, options, reason):
    """Item 219: it has the names as they were asked for."""
    (found,) = find(item(name, "out/", source_options=options), ["d/a"])
    assert (found.source, found.destination) == (name, "out/")
    assert found.failure.startswith(reason)


@pytest.mark.parametrize("name", ["../to/x", "d/../../x", "/etc/hostname", "link", "out/x", "fifo"])
def test_217_a_source_outside_the_root_fails(find, tmp_path, name):
    """Item 217: by its path, by a link, or because it is no regular file."""
    (tmp_path / "from" / "link").symlink_to("d")
    (tmp_path / "from" / "out").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "from" / "fifo")
    (tmp_path / "x").write_bytes(b"")
    assert failures(find(item(name, "a"), ["d/a"]))[0].startswith("BFGIO0056E: ")


@pytest.mark.parametrize("name", ["../x", "/elsewhere/x", "link/x", "link/", "link", "file"])
def test_217_a_destination_outside_the_root_fails(find, tmp_path, name):
    """Item 217: a link to a folder, and to nothing."""
    (tmp_path / "to" / "link").symlink_to(tmp_path)
    (tmp_path / "to" / "file").symlink_to("nothing")
    assert failures(find(item("a", name), ["a"]))[0].startswith("BFGIO0056E: ")


def test_218_a_file_is_no_directory_to_put_files_into(find, tmp_path):
    """Item 218: the item fails before its file is read."""
    (tmp_path / "to" / "file").write_bytes(b"")
    (failed,) = failures(find(item("a", "file/"), ["a"]))
    assert failed == "BFGTR0072E: file: is a file and no directory."


def test_217_links_and_special_files_of_a_directory_fail_one_by_one(find, tmp_path):
    """Items 73 and 217: they are counted, and the rest is moved."""
    (tmp_path / "from" / "d").mkdir()
    (tmp_path / "from" / "d" / "link").symlink_to("a")
    os.mkfifo(tmp_path / "from" / "d" / "pipe")
    found = find(item("d", "out/", source_options=DIRECTORY), ["d/a"])
    shown = [(one.source, one.failure[:10]) for one in found]
    assert shown == [("d/a", ""), ("d/link", "BFGIO0056E"), ("d/pipe", "BFGIO0056E")]


def test_217_an_absolute_path_inside_the_root_is_that_file(find, tmp_path):
    """Item 217: on both sides."""
    one = item(os.fspath(tmp_path / "from" / "a"), f"{tmp_path}/to/sub//b")
    assert ways(find(one, ["a"])) == [("a", "sub/b")]


def test_54_a_name_that_is_not_utf_8_is_found_as_it_is(find, tmp_path):
    """Item 54: its bytes survive on the way to the worker and back."""
    (tmp_path / "from" / "caf\udce9 ü").write_bytes(b"")
    assert ways(find(item("*", "d/"))) == [("caf\udce9 ü", "d/caf\udce9 ü")]


NAMES = st.lists(st.sampled_from(["a", "b.txt", ".c", "d", "e*", "caf\udce9"]), min_size=1, max_size=3)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=40)
@given(st.lists(NAMES, max_size=6), st.booleans())
def test_218_a_tree_is_found_whole_and_in_order(find, tmp_path, paths, recursive):
    """Item 218: each file once, at the same place below the destination."""
    root = tmp_path / "from" / "tree"
    for path in sorted(root.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    root.mkdir(exist_ok=True)
    for steps in paths:
        path = root.joinpath(*steps)
        if not any(one.is_file() for one in path.parents) and not path.is_dir():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")
    expected = [
        os.fspath(path.relative_to(root))
        for path in root.rglob("*")
        if path.is_file() and (recursive or path.parent == root)
    ]
    one = item("tree", "out/", source_options={**DIRECTORY, "recursive": recursive})
    below = sorted(expected, key=lambda path: path.split("/"))
    assert ways(find(one)) == [(f"tree/{path}", f"out/{path}") for path in below]
