import re
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filestore_svc.domain.wildcards import listing_filter, shell_pattern

DATABASE = sqlite3.connect(":memory:")


def _globs(pattern, name):
    if pattern.hopeless:
        return False
    return bool(DATABASE.execute("SELECT ? GLOB ?", (name, pattern.glob())).fetchone()[0])


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("*.txt", "a.txt", True),
        ("*.txt", "a.txt.gz", False),
        ("*.TXT", "a.txt", False),
        ("a*", "a", True),
        ("a?", "ab", False),
        ("a?", "a?", True),
        ("[ab]", "a", False),
        ("[ab]", "[ab]", True),
        ("100%", "100%", True),
        ("_.txt", "anything.txt", True),
        ("file._", "file.csv", True),
        ("_", "a.b.c", True),
        ("order_7.csv", "orderX7.csv", False),
        ("order_7.csv", "order_7.csv", True),
        ("a**b", "ab", True),
    ],
)
def test_the_listing_filter(pattern, name, matches):
    """`*` and a lone `_` are wildcards, everything else is literal (D1)."""
    assert _globs(listing_filter(pattern), name) is matches


def test_an_empty_filter_is_none():
    """An empty text filters nothing."""
    assert listing_filter("") is None
    assert shell_pattern("") is None


@pytest.mark.parametrize("text", ["a\0b", "x" * 300, "\ud800", "*a" * 2000])
def test_patterns_that_match_no_name(text):
    """A pattern that no name can match is not sent to the database."""
    assert listing_filter(text).hopeless


def test_like_escapes_its_own_wildcards():
    """PostgreSQL's LIKE gets `%` for `*`, and its own signs escaped."""
    assert listing_filter("a*%_\\b").like() == "a%\\%\\_\\\\b"


@given(st.text(alphabet="ab*?[]^-_.%é", max_size=8), st.text(alphabet="ab*?[]^-_.%é", max_size=8))
def test_glob_means_what_the_tokens_mean(text, name):
    """SQLite's GLOB, as it is rendered, agrees with a regular expression of the same tokens."""
    pattern = shell_pattern(text)
    if pattern is not None and name:
        words = {"*": ".*", "?": "."}
        wanted = "".join(words[sign] if special else re.escape(sign) for sign, special in pattern.tokens)
        assert _globs(pattern, name) == bool(re.fullmatch(wanted, name, re.DOTALL))


@pytest.mark.parametrize(
    ("text", "inner"),
    [("*a*", "a"), ("**a.b**", "a.b"), ("*", ""), ("", ""), ("a*", ""), ("*a", ""), ("*a*b*", ""), ("_.a._", ".a.")],
)
def test_texts_between_two_wildcards(text, inner):
    """A pattern that is one text between two wildcards is recognised, and no other is."""
    pattern = listing_filter(text)
    assert (pattern.inner if pattern else "") == inner


def test_a_single_sign_is_no_text():
    """`?` asks for a character, wherever it stands."""
    assert [shell_pattern(text).inner for text in ("*a?*", "?a*", "*a*")] == ["", "", "a"]
