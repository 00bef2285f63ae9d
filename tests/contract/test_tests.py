"""The tests keep the rules of the tree."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(ROOT.glob("*/**/test_*.py"))


def functions_of(path):
    tree = ast.parse(path.read_text())
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_test_says_what_it_shows_in_a_sentence(path):
    """A test's docstring is one sentence with a full stop."""
    for node in functions_of(path):
        sentence = (ast.get_docstring(node) or "").strip()
        assert sentence.endswith((".", ")", ":")), f"{path.name}: {node.name}"


def test_no_two_test_files_share_a_name():
    """A file's name alone says which one it is."""
    names = [path.name for path in FILES]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_test_sleeps_or_is_left_out(path):
    """Waiting is polling with a deadline, and a test that does not hold is mended, not skipped."""
    forbidden = {"sleep", "skip", "xfail", "skipif", "importorskip"}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute):
            assert node.attr not in forbidden, f"{path.name}:{node.lineno}: {node.attr}"
