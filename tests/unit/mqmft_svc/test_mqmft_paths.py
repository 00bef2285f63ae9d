"""The names of a request as paths below an agent's root (217, 218)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mft_common.endpoints.errors import Denied, Exists, NotFound, NotRegular, Transient
from mqmft_svc.operations.managed.paths import is_hidden, is_pattern, path_below
from mqmft_svc.operations.managed.problems import NotPossible, OutsideRoot, SourceMissing, description_of

STEPS = st.sampled_from(["a", "b.txt", ".", "..", "", "...", ".x", "c d"])


@pytest.mark.parametrize(
    ("name", "path"),
    [("a/b", "a/b"), ("./a//b/.", "a/b"), ("a/", "a"), ("/a", "a"), ("", ""), (".", ""), ("/", ""), ("...", "...")],
)
def test_217_dots_and_doubled_slashes_are_tidied_and_a_leading_slash_is_the_root(name, path):
    """Item 217: on agents that are no folder of this machine."""
    assert path_below(name) == path


@pytest.mark.parametrize("name", ["..", "../a", "a/../b", "/..", "a/..", "/srv/one/.."])
@pytest.mark.parametrize("roots", [(), ("/srv/one",)])
def test_217_a_path_with_two_dots_is_refused(name, roots):
    """Item 217: it may lead out of the root, whatever the folders before it are."""
    with pytest.raises(OutsideRoot):
        path_below(name, roots)


@pytest.mark.parametrize(
    ("name", "path"), [("/srv/one/a", "a"), ("/srv//./one/a/b", "a/b"), ("/srv/one", ""), ("a", "a")]
)
def test_217_an_absolute_path_inside_a_folder_agent_is_that_file(name, path):
    """Item 217: also by another path of the same folder."""
    assert path_below(name, ["/srv/one"]) == path
    assert path_below(name.replace("/srv/", "/mnt/"), ["/srv/one", "/mnt/one"]) == path


@pytest.mark.parametrize("name", ["/", "/srv", "/srv/one2/a", "/etc/passwd", "/one/a"])
def test_217_an_absolute_path_elsewhere_is_refused(name):
    """Item 217: a name is compared step by step, not by its characters."""
    with pytest.raises(OutsideRoot):
        path_below(name, ["/srv/one"])


@given(st.lists(STEPS).map("/".join), st.sampled_from([(), ("/a",), ("/a/b.txt", "/c d")]))
def test_217_no_name_leads_out_of_the_root(name, roots):
    """Item 217: a path has no empty step and no dots, and means itself."""
    try:
        path = path_below(name, roots)
    except OutsideRoot:
        assert ".." in name or (roots and name.startswith("/"))
        return
    assert not {"", ".", ".."} & set(path.split("/") if path else ())
    assert path_below(path, roots) == path


def test_218_wildcards_count_in_the_last_part_of_a_name_alone():
    """Item 218: * and ? of a folder's name are characters of it."""
    assert [is_pattern(path) for path in ("*", "a/?.txt", "a*/b", "a/b[1]")] == [True, True, False, False]


def test_218_a_hidden_file_is_matched_by_a_leading_dot_alone():
    """Item 218: and a pattern reaches into no hidden folder."""
    names = [".a", "a", "b/.a", ".b/a"]
    assert [is_hidden(name, "*a") for name in names] == [True, False, True, True]
    assert [is_hidden(name, ".*") for name in names] == [False, False, False, True]


@pytest.mark.parametrize(
    ("error", "known"),
    [
        (SourceMissing("a: does not exist"), "BFGIO0001E: a: does not exist."),
        (Exists("a: exists already"), "BFGIO0006E: a: exists already."),
        (OutsideRoot("../a: is outside"), "BFGIO0056E: ../a: is outside."),
        (NotRegular("a: is a link"), "BFGIO0056E: a: is a link."),
        (Denied("a: access is refused"), "BFGTR0072E: a: access is refused."),
        (NotFound("a: the folder was removed"), "BFGTR0072E: a: the folder was removed."),
        (NotPossible("a: \udcff"), "BFGTR0072E: a: \\xff."),
        (Transient(""), "BFGTR0072E: Transient."),
    ],
)
def test_97_the_description_of_a_failed_file_begins_with_the_id_of_its_reason(error, known):
    """Item 97: and holds no character that a record cannot."""
    assert description_of(error) == known
