"""File names, patterns and temporary names."""

import fnmatch
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mft_common.endpoints.errors import BadName
from mft_common.endpoints.names import LONGEST, Patterns, check_name, is_temporary, size_of, temporary_name

TOKEN = "0000000000000042"
NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=("Cs",)), min_size=1, max_size=255).filter(
    lambda name: name not in (".", "..") and size_of(name) <= LONGEST and not is_temporary(name)
)


@given(NAMES)
def test_every_name_of_a_file_has_a_temporary_name_that_fits_and_never_matches(name):
    """Any name a folder can hold has a temporary name that fits too, is recognised as one, and matches no pattern."""
    temporary = temporary_name(check_name(name), TOKEN)
    assert size_of(temporary) <= LONGEST
    assert is_temporary(temporary, TOKEN)
    assert not is_temporary(temporary, "0000000000000043")
    assert not Patterns(["*", temporary]).match(temporary)


@given(NAMES, NAMES)
def test_two_names_never_share_a_temporary_name(one, other):
    """Two files of one job never write to the same temporary file."""
    assert (temporary_name(one, TOKEN) == temporary_name(other, TOKEN)) == (one == other)


def test_two_long_names_never_share_a_temporary_name():
    """Names that must be shortened stay apart by their hash."""
    assert temporary_name("x" * 254 + "a", TOKEN) != temporary_name("x" * 254 + "b", TOKEN)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/", "a\0b", "x" * 256, "\ud800", temporary_name("a", TOKEN)])
def test_what_is_no_name_is_refused(name):
    """Paths, dots, NUL, too many bytes, lone surrogates and our own temporaries are no names."""
    with pytest.raises(BadName):
        check_name(name)


@pytest.mark.parametrize("token", ["", "42", "lower000000000ff", "0" * 65, "0000000000000042/.."])
def test_a_token_is_hex_digits_of_a_fixed_form(token):
    """A token that could lead elsewhere, or match another's, is a mistake of the caller."""
    with pytest.raises(ValueError, match="token"):
        temporary_name("a", token)


@given(st.text("ab*?.[", max_size=8), st.text("ab.[\n", max_size=10))
def test_patterns_mean_what_fnmatch_means_without_brackets(pattern, name):
    """`*` and `?` mean what they mean to the shell; brackets, dots and line ends are themselves."""
    escaped = pattern.replace("[", "[[]")
    assert Patterns([pattern]).match(name) == bool(re.compile(fnmatch.translate(escaped)).match(name))


def test_a_pattern_of_many_stars_is_no_trap():
    """A pattern made to explode in a backtracking matcher takes no noticeable time."""
    began = time.thread_time()
    assert not Patterns(["*a" * 100 + "b"]).match("a" * 255)
    assert time.thread_time() - began < 1
