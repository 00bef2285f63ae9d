"""Read XML that may be hostile, and write XML that always parses."""

import re
from collections.abc import Iterable
from typing import Final
from xml.etree.ElementTree import Element, ParseError, SubElement, TreeBuilder, tostring

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from mft_common.errors import MftError

DECLARATION: Final = b'<?xml version="1.0" encoding="UTF-8"?>\n'
_FORBIDDEN: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SPECIAL: Final = re.compile("[^\t\n\x20-%'-;=?-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SPECIAL_IN_QUOTES: Final = re.compile("[^ !#-%'-;=?-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ENCODING: Final = re.compile(rb"""^\s*<\?xml[^>]*\bencoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
# expat and the tree keep the whole name of a namespace with each name that is in it.
_NAMESPACES: Final = b"xmlns"
_LONG_NAMESPACE: Final = re.compile(rb"""xmlns(?::[^\s=<>"'/:]*)?\s*=\s*(?:"[^"]{256}|'[^']{256})""")
_NAMES_BESIDE: Final = 1 << 20
_BOM: Final = b"\xef\xbb\xbf"
_SLICE: Final = 64 << 10
# expat keeps a tag, comment or instruction whole until it ends, and makes one dictionary of all its attributes.
_LONGEST_MARKUP: Final = 256 << 10
_MARKUP_PER_ELEMENT: Final = 4


class XmlError(MftError):
    """The document is not one that we read: not well-formed, not UTF-8, with a DTD, too deep or too large."""


class _LimitedBuilder(TreeBuilder):
    """Builds the tree and stops at the first element past a limit, so that memory is bounded while parsing.

    What is no element costs time as well: attributes, comments, instructions and CDATA sections have a limit together.
    `max_names` is the most characters that all names may have with their namespaces, None where there are none.
    """

    def __init__(self, max_depth: int, max_elements: int, max_names: int | None) -> None:
        super().__init__()
        self._depth = 0
        self._count = 0
        self._other = 0
        self._max_depth = max_depth
        self._max_elements = max_elements
        self._names_left = max_names

    def start(self, tag: str, attrs: dict[str, str], /) -> Element:
        self._depth += 1
        self._count += 1
        if self._depth > self._max_depth:
            raise XmlError(f"more than {self._max_depth} levels of elements")
        if self._count > self._max_elements:
            raise XmlError(f"more than {self._max_elements} elements")
        self.count_other(len(attrs))
        if self._names_left is not None:
            self._names_left -= len(tag) + sum(map(len, attrs))
            if self._names_left < 0:
                raise XmlError("too many names in namespaces")
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> Element:
        self._depth -= 1
        return super().end(tag)

    def comment(self, text: str | None, /) -> Element:
        self.count_other()
        return super().comment(text)

    def pi(self, target: str, text: str | None = None, /) -> Element:
        self.count_other()
        return super().pi(target, text)

    def count_other(self, more: int = 1) -> None:
        """Count markup that makes no element."""
        self._other += more
        if self._other > self._max_elements * _MARKUP_PER_ELEMENT:
            raise XmlError("too many attributes, comments, instructions or CDATA sections")


def parse(document: bytes, *, max_depth: int = 32, max_elements: int = 10_000) -> Element:
    """Return the root of a UTF-8 document, with or without a byte order mark and a declaration.

    Raises XmlError for everything else: a DTD of any kind (so no entity is ever expanded or fetched), another encoding,
    more than `max_depth` levels or `max_elements` elements, four times as much of other markup, a tag or comment longer
    than about 256 KiB, a namespace of more than 255 bytes, names that with their namespaces have 1 MiB more than the
    document, or text that is no XML.
    """
    body = document.removeprefix(_BOM)
    declared = _ENCODING.match(body)
    if declared and declared[1].lower() not in (b"utf-8", b"utf8"):
        raise XmlError("the document's encoding is not UTF-8")
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise XmlError("the document is not UTF-8") from error
    if _LONG_NAMESPACE.search(body):
        raise XmlError("the name of a namespace is too long")
    max_names = len(body) + _NAMES_BESIDE if _NAMESPACES in body else None
    builder = _LimitedBuilder(max_depth, max_elements, max_names)
    parser = DefusedXMLParser(target=builder, encoding="utf-8", forbid_dtd=True, forbid_external=True)
    parser.parser.StartCdataSectionHandler = builder.count_other
    try:
        for start in range(0, len(body), _SLICE):
            parser.feed(body[start : start + _SLICE])
            if start - parser.parser.CurrentByteIndex > _LONGEST_MARKUP:
                raise XmlError("a tag or comment is too long")
        root: Element = parser.close()
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise XmlError("the document is not well-formed XML without a DTD") from error
    return root


def text(value: str) -> str:
    """Return `value` with each character that XML 1.0 forbids replaced by U+FFFD."""
    return _FORBIDDEN.sub("\ufffd", value)


def add(parent: Element, tag: str, value: str | None = None, attributes: Iterable[tuple[str, str]] = ()) -> Element:
    """Append an element with text and attributes, made safe, and return it."""
    child = SubElement(parent, tag, {name: text(content) for name, content in attributes})
    if value:
        child.text = text(value)
    return child


def leaf(tag: str, value: str, attributes: Iterable[tuple[str, str]] = ()) -> str:
    """Return an element of text alone, made safe, as `element_to_bytes` writes it: for thousands of them at once."""
    return f"{start(tag, attributes)}{_escaped(value)}</{tag}>"


def start(tag: str, attributes: Iterable[tuple[str, str]] = ()) -> str:
    """Return the start tag of an element, with the values of its attributes made safe."""
    shown = "".join([f' {name}="{_quoted(value)}"' for name, value in attributes])
    return f"<{tag}{shown}>"


def _escaped(value: str) -> str:
    if _SPECIAL.search(value):
        value = text(value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")
    return value


def _quoted(value: str) -> str:
    if _SPECIAL_IN_QUOTES.search(value):
        value = _escaped(value).replace('"', "&quot;").replace("\n", "&#10;").replace("\t", "&#09;")
    return value


def to_bytes(root: Element) -> bytes:
    """Serialise with a declaration, UTF-8; a carriage return leaves as a character reference, so that it comes back."""
    return DECLARATION + element_to_bytes(root)


def element_to_bytes(element: Element) -> bytes:
    """Serialise one element as `to_bytes` does, without a declaration; an empty one has a start and an end tag."""
    body: bytes = tostring(element, encoding="utf-8", short_empty_elements=False)
    return body.replace(b"\r", b"&#13;")


def around(element: Element) -> tuple[bytes, bytes]:
    """Return the bytes before and after further children of an element: a long document is written piece by piece."""
    end = f"</{element.tag}>".encode()
    return element_to_bytes(element).removesuffix(end), end
