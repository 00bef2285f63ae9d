"""Variables, labels and lines of a log."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diplomat_svc.domain import names
from diplomat_svc.domain.transactions import Destination, Source, Transaction


def _transaction(*files, target=None, **more):
    source = Source(url="file:a", files=files)
    return Transaction(
        name="t", direction="outbound", source=source, destination=Destination(url="file:b", files=target), **more
    )


@given(st.text(), st.text())
def test_a_value_is_put_in_once_and_never_expanded_again_a29(value, around):
    """Any value appears unchanged between its surroundings."""
    before = around.replace("<", "").replace("%", "")
    assert names.expand(f"{before}<%x%>{before}", {value: "no", "x": value}) == f"{before}{value}{before}"


def test_case_counts_and_missing_variables_stay_a28_a29():
    """Names are matched exactly; one without a value stays as text and is named once."""
    expanded = names.expand_transaction(
        _transaction("<%a%><%A%><%b%>", target="<%b%>*", variables={"A": "1"}), {"a": "2"}
    )
    assert expanded.transaction.source.files == ("21<%b%>",)
    assert expanded.missing == ("b",)


@pytest.mark.parametrize("value", ["a/b", "a\\b", "\0", "\n", "\x7f", "\x85", ".", ".."])
def test_unfit_values_a31(value):
    """Separators, control characters and values that make a name of dots are unfit."""
    assert names.unfit_value(_transaction("<%x%>"), {"x": value}) == "x"
    assert names.unfit_value(_transaction("a"), {"x": "fine|*"}) is None


@given(st.text(), st.text(min_size=1))
def test_a_label_gives_back_its_parts_23(domain, user_id):
    """Any domain and user ID come back from the label they make."""
    assert names.unpack_label(names.pack_label(domain, user_id)) == (domain, user_id)


def test_a_plain_label_reads_as_the_guide_says_23():
    """Without special characters the label is domain/userID or userID."""
    assert names.pack_label("HQ", "Jim") == names.shown_label("HQ/Jim") == "HQ/Jim"
    assert names.pack_label("", "Jim") == "Jim"


@given(st.text())
def test_no_text_makes_a_second_line_of_a_log_a60(text):
    """A printable text is one line, without controls and lone surrogates."""
    line = names.printable(text)
    assert len(line.splitlines()) <= 1
    assert not names.controls(line)
    line.encode()


def test_a_byte_that_is_no_utf_8_is_the_same_mark_in_a_log_whoever_wrote_its_text_a60():
    """The texts of errors show such bytes as escapes; other escapes stay."""
    assert names.log_text("a\udcff, b\\xe9: does not exist\n") == "a\ufffd, b\ufffd: does not exist\\n"
    assert names.log_text("\\x1b") == "\\x1b"


@given(st.text(min_size=1))
def test_definitions_survive_being_stored_with_a_job(name):
    """A definition is the same after it was stored with a job."""
    one = _transaction(name, target="*.x", variables={name: name}, bandwidth=5)
    assert Transaction.from_json(one.to_json()) == one


def test_a_star_stands_for_the_whole_source_name():
    """`*` in the destination is the source's name; without a template the name stays."""
    assert names.destination_name("*.pgp", "a.csv") == "a.csv.pgp"
    assert names.destination_name(None, "a.csv") == "a.csv"
