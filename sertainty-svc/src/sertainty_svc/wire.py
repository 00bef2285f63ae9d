"""Parse requests and render replies: one XML document each (section 1)."""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from xml.etree.ElementTree import Element

from mft_common import xml
from mft_common.xml import XmlError
from sertainty_svc.domain.functions import BINARY, Argument
from sertainty_svc.errors import InvalidRequest

CONTENT_TYPE: Final = "application/xml; charset=utf-8"
DETAIL_HEADER: Final = "Crossdock-Detail"
SUCCESS: Final = 1
CHALLENGED: Final = 2
MESSAGES: Final = {SUCCESS: "Success", CHALLENGED: "Challenged"}
_WHITE: Final = b" \t\r\n"
_NOT_PRINTABLE: Final = re.compile(r"[^\x20-\x7e]")
_DETAIL_LENGTH: Final = 200


@dataclass(frozen=True)
class Request:
    """An envelope: `session` is None where there is none or an empty one (4)."""

    function: str
    session: str | None
    arguments: tuple[Argument, ...]


@dataclass(frozen=True)
class Result:
    """One result, and its name where the format has one."""

    content: bytes
    name: str | None = None


@dataclass(frozen=True)
class Reply:
    """The outcome of a call; `results` is None where there is to be no ResultList (11)."""

    code: int
    message: str
    results: Sequence[Result] | None = None


def parse_request(document: bytes) -> Request:
    """Parse an envelope; InvalidRequest names its fault (3, 4, 12)."""
    try:
        root = xml.parse(document)
    except XmlError as error:
        raise InvalidRequest(str(error)) from error
    if root.tag != "Request":
        raise InvalidRequest("the root is not Request")
    session, lists = _at_most_one(root, "Session"), _at_most_one(root, "ArgList")
    function = _at_most_one(root, "Function")
    if function is None:
        raise InvalidRequest("there is no Function")
    return Request(
        function=_own_text(function).strip(),
        session=(_own_text(session).strip() or None) if session is not None else None,
        arguments=tuple(_argument(element) for element in lists.findall("Argument")) if lists is not None else (),
    )


def _at_most_one(root: Element, tag: str) -> Element | None:
    found = root.findall(tag)
    if len(found) > 1:
        raise InvalidRequest(f"there is more than one {tag}")
    return found[0] if found else None


def _own_text(element: Element) -> str:
    return (element.text or "") + "".join(child.tail or "" for child in element)


def _argument(element: Element) -> Argument:
    if len(element):
        raise InvalidRequest("an Argument holds elements")
    return Argument(name=element.get("name"), content=element.text or "")


def decode(content: str, what: str) -> bytes:
    """Decode Base64; InvalidRequest names `what` where it is none (6)."""
    try:
        return base64.b64decode(content.encode("ascii").translate(None, _WHITE), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise InvalidRequest(f"{what} is not Base64") from error


def decode_text(content: str, what: str) -> str:
    """Decode Base64 of UTF-8 text; InvalidRequest names `what` where it is none (6, 9)."""
    try:
        return decode(content, what).decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{what} is not UTF-8") from error


def decoded(values: Mapping[str, Sequence[str]]) -> dict[str, list[bytes | str]]:
    """Decode arguments by their names: most are text, a few are bytes (9)."""
    return {
        name: [
            decode(one, f"the argument {name}") if name in BINARY else decode_text(one, f"the argument {name}")
            for one in contents
        ]
        for name, contents in values.items()
    }


def to_bytes(reply: Reply) -> bytes:
    """Render an answer (10)."""
    root = Element("Response")
    xml.add(root, "Status", str(reply.code))
    xml.add(root, "StatusMessage", reply.message)
    if reply.results is not None:
        results = xml.add(root, "ResultList")
        for result in reply.results:
            name = () if result.name is None else (("name", result.name),)
            xml.add(results, "Result", base64.b64encode(result.content).decode("ascii"), name)
    return xml.to_bytes(root)


def header_text(detail: str) -> str:
    """Return a detail as a header may carry it."""
    return _NOT_PRINTABLE.sub("?", detail)[:_DETAIL_LENGTH]
