import pytest
from hypothesis import given
from hypothesis import strategies as st

from filestore_svc.errors import BadSyntax
from filestore_svc.wire.parameters import parameters

ANY = st.text(st.characters(blacklist_categories=("Cc", "Cs")))


@given(ANY)
def test_every_quoted_name_comes_back(name):
    """A name whose quotes and backslashes are escaped (RFC 9110 5.6.4) is read as it was, whatever it holds."""
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    assert parameters(f'form-data; name="file"; filename="{quoted}"') == (
        "form-data",
        {"name": "file", "filename": name},
    )


@given(ANY.filter(lambda name: not {";", "\\"} & set(name)), st.booleans())
def test_no_name_is_shortened(name, quoted):
    """A name that is not quoted, or that holds quotes of its own, is read in full or refused."""
    value = f'"{name}"' if quoted else name
    try:
        found = parameters(f"form-data; filename={value}")[1]
    except BadSyntax:
        return
    assert found == {"filename": name if quoted else name.strip(" \t").removeprefix('"').removesuffix('"')}


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("", ("", {})),
        ("text/plain", ("text/plain", {})),
        (" text/plain ;; ; charset=utf-8 ;", ("text/plain", {"charset": "utf-8"})),
        ('x; A=b;\tC = "d;e" ', ("x", {"a": "b", "c": "d;e"})),
        ('x; a=""', ("x", {"a": ""})),
        ("x; a*=UTF-8''%e2%82%ac; a=euro", ("x", {"a": "\u20ac"})),
    ],
)
def test_values_that_are_read(value, wanted):
    """Parameters may be quoted, spaced and empty; an extended one takes the place of the plain one."""
    assert parameters(value) == wanted


@pytest.mark.parametrize(
    "rest",
    [
        "a",
        "a=",
        "=b",
        "a b=c",
        "a=b c",
        'a="b',
        'a="b\\"',
        'a="b"c',
        "a=b; a=c",
        "a*=b",
        "a*=UTF-7''b",
        "a*=UTF-8''%ff",
        "a*0=b",
        "a*0*=UTF-8''b",
    ],
)
def test_values_that_are_refused(rest):
    """A malformed parameter is refused."""
    with pytest.raises(BadSyntax):
        parameters(f"x; {rest}")
