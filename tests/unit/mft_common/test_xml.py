import time
from xml.etree.ElementTree import Element

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mft_common import xml

HOSTILE = {
    "entity": b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
    "doctype alone": b"<!DOCTYPE a><a/>",
    "external": b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
    "not UTF-8": '<?xml version="1.0" encoding="ISO-8859-1"?><a>\xe9</a>'.encode("latin-1"),
    "UTF-16": '<?xml version="1.0" encoding="UTF-16"?><a/>'.encode("utf-16"),
    "bad bytes": b"<a>\xff\xfe</a>",
    "cut": b"<a><b>",
    "empty": b"",
    "deep": b"<a>" * 33 + b"</a>" * 33,
    "many": b"<a>" + b"<b/>" * 10_000 + b"</a>",
    "two roots": b"<a/><b/>",
}


@pytest.mark.parametrize("document", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_documents_are_refused(document):
    """A document that is not small, plain, well-formed UTF-8 XML is an XmlError."""
    with pytest.raises(xml.XmlError):
        xml.parse(document)


def test_a_billion_laughs_costs_nothing():
    """Nested entities are refused before anything is expanded."""
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    began = time.process_time()
    with pytest.raises(xml.XmlError):
        xml.parse(f'<!DOCTYPE a [<!ENTITY l0 "lol">{entities}]><a>&l11;</a>'.encode())
    assert time.process_time() - began < 1


def _many_attributes(size):
    names = b"".join(b" a%x=''" % number for number in range(size // 8))
    return b"<a" + names + b"/>"


def _in_namespace(length, elements, attributes=0):
    named = b"".join(b" n:a%x=''" % number for number in range(attributes))
    children = b"".join(b"<n:b%x%b/>" % (number, named) for number in range(elements))
    return b"<a xmlns:n='%b'>%b</a>" % (b"u" * length, children)


EXPENSIVE = {
    "attributes of one tag": _many_attributes(2 << 20),
    "attributes of many tags": b"<a>" + b"<b c='' d='' e='' f='' g=''/>" * 9_000 + b"</a>",
    "comments": b"<a>" + b"<!---->" * 100_000 + b"</a>",
    "instructions": b"<a>" + b"<?b?>" * 100_000 + b"</a>",
    "CDATA sections": b"<a>" + b"<![CDATA[]]>" * 100_000 + b"</a>",
    "a value": b"<a b='" + b"x" * (1 << 20) + b"'/>",
    "a comment": b"<a><!--" + b"x" * (1 << 20) + b"--></a>",
    "a name": b"<" + b"a" * (1 << 20) + b"/>",
    "elements in a namespace": _in_namespace(10_000, 1000),
    "attributes in a namespace": _in_namespace(10_000, 1, 1000),
    "a namespace beside others": b"<a xmlns:m='u' xmlns:n \n=\t \"" + b"u" * 256 + b'"/>',
    "a namespace that is the default": b"<a xmlns='" + b"&#117;" * 50 + b"'/>",
    "elements in a short namespace": _in_namespace(200, 8000),
    "attributes in a short namespace": _in_namespace(200, 80, 100),
}


@pytest.mark.parametrize("document", EXPENSIVE.values(), ids=EXPENSIVE.keys())
def test_markup_that_is_no_element_is_limited_as_well(document):
    """A document of few elements cannot cost time and memory by its attributes, comments and sections."""
    with pytest.raises(xml.XmlError, match="too"):
        xml.parse(document)


def test_a_long_text_is_no_long_tag():
    """Content has no limit of its own, however the document is cut while it is read."""
    content = "0123456789" * 200_000
    assert xml.parse(f"<a><b c='d'>{content}</b><!-- e --><b/></a>".encode())[0].text == content


def test_names_in_namespaces_are_read():
    """A document of usual namespaces is no hostile one, whether it uses them or declares them alone."""
    schema = "http://www.w3.org/2001/XMLSchema-instance"
    children = "<x:b x:c=''/>" * 9000
    root = xml.parse(f"<a xmlns:x='{schema}' xmlns='urn:y'>{children}</a>".encode())
    assert (root.tag, root[0].tag, root[0].attrib) == ("{urn:y}a", f"{{{schema}}}b", {f"{{{schema}}}c": ""})
    longest = "u" * 255
    assert xml.parse(f'<a xmlns:x="{longest}"><x:b/></a>'.encode())[0].tag == f"{{{longest}}}b"


def test_a_byte_order_mark_and_a_declaration_are_fine():
    """Both are optional."""
    assert xml.parse(b'\xef\xbb\xbf<?xml version="1.0" encoding="utf-8"?><a>\xc3\xa9</a>').text == "é"


@given(st.text())
def test_any_text_goes_out_and_comes_back(text):
    """Characters that XML can hold come back as they went in; the others become U+FFFD."""
    root = xml.Element("a")
    xml.add(root, "b", text, [("c", text)])
    back = xml.parse(xml.to_bytes(root))
    assert (back[0].text or "") == xml.text(text)
    assert len(back[0].attrib["c"]) == len(xml.text(text))


@given(st.text())
def test_a_leaf_is_written_as_an_element_is(value):
    """With any text an element written as text has the bytes of one that is built and serialised."""
    parent = Element("parent")
    attributes = (("a", value), ("b", "2"))
    xml.add(parent, "leaf", value)
    xml.add(parent, "leaf", value, attributes)
    assert xml.leaf("leaf", value).encode() == xml.element_to_bytes(parent[0])
    assert xml.leaf("leaf", value, attributes).encode() == xml.element_to_bytes(parent[1])


@pytest.mark.parametrize("value", ["", "&<>\"'", "a\r\nb\t", "]]>", "\x00\x1b\ufffe", "\ud800", "\U0001f600"])
def test_a_leaf_of_special_characters_is_written_as_an_element_is(value):
    """Markup, line ends and characters that XML forbids leave as they do from a tree."""
    parent = Element("parent")
    attributes = (("a", value), ("b", "2"))
    xml.add(parent, "leaf", value)
    xml.add(parent, "leaf", value, attributes)
    assert xml.leaf("leaf", value).encode() == xml.element_to_bytes(parent[0])
    assert xml.leaf("leaf", value, attributes).encode() == xml.element_to_bytes(parent[1])
