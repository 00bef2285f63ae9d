"""Read and write IDs (10.2): a definition, and the ID's private key wrapped once for each machine.

Each wrap is bound to the definition: the `info` of its encryption holds the SHA-256 of that in Canonical XML 2.0.
"""

import copy
import hashlib
import re
import uuid
from collections.abc import Mapping
from typing import Final
from xml.etree.ElementTree import Element, canonicalize

from mft_common import xml
from mft_common.hpke import Suite
from mft_common.xml import XmlError
from sertainty_svc.domain.ids import Definition, IdDocument, IdUnusable
from sertainty_svc.domain.rules import Rules
from sertainty_svc.errors import InvalidRequest
from sertainty_svc.schemas.encodings import from_base64, to_base64
from sertainty_svc.schemas.leaves import Leaves
from sertainty_svc.schemas.machines import MAX_ELEMENTS, STRING, read_configuration, write_configuration
from sertainty_svc.schemas.rules import read_rules, write_rules

VERSION: Final = "1"
ALGORITHMS: Final[Mapping[str, Suite]] = {"X25519": Suite.X25519, "MLKEM768-X25519": Suite.MLKEM768_X25519}
_INFO: Final = b"crossdock id v1"
_INSTRUCTION: Final = b"<?"
_DECLARATION: Final = re.compile(rb"(?:\xef\xbb\xbf)?<\?xml[ \t\r\n]")


def read_id(contents: bytes) -> IdDocument:
    """Read an ID; IdUnusable where it is none, or has a rule that is not enforced."""
    root = _root(contents)
    element = _one(root, "Definition")
    _check_names(element)
    try:
        definition = _read_definition(element)
    except InvalidRequest as error:
        raise IdUnusable(f"the ID cannot be used: {error.detail}") from error
    return IdDocument(definition=definition, info=binding(element), wraps=_read_wraps(_one(root, "Wraps")))


def read_uid(contents: bytes) -> str:
    """Return the UUID in an ID, "" where the contents are none: any bytes may be saved as an ID (47)."""
    try:
        return _uid(_one(_root(contents), "Definition"))
    except IdUnusable:
        return ""


def write_definition(definition: Definition) -> Element:
    """Return the Definition element."""
    root = Element("Definition", {"id": definition.uid, "name": xml.text(definition.name)})
    xml.add(root, "Created", definition.created, [("type", "date")])
    xml.add(root, "Preset", definition.preset, [STRING])
    write_rules(root, definition.rules)
    xml.add(root, "Key", to_base64(definition.public_key), [STRING, ("algorithm", definition.algorithm)])
    machines = xml.add(root, "Machines")
    machines.extend(write_configuration(machine) for machine in definition.machines)
    return root


def write_id(definition: Element, wraps: Mapping[str, bytes]) -> bytes:
    """Return the document of an ID; `wraps` maps the ids of machines to the wrapped private key."""
    root = Element("ID", {"version": VERSION})
    root.append(definition)
    container = xml.add(root, "Wraps")
    for machine, wrapped in wraps.items():
        xml.add(container, "Wrap", to_base64(wrapped), [("machine", machine)])
    return xml.to_bytes(root)


def binding(definition: Element) -> bytes:
    """Return the `info` of the wraps of a definition: nothing in it can change without changing this."""
    alone = copy.copy(definition)
    alone.tail = None
    text = canonicalize(xml.element_to_bytes(alone).decode("utf-8"))
    return _INFO + hashlib.sha256(text.encode("utf-8")).digest()


def _root(contents: bytes) -> Element:
    try:
        root = xml.parse(contents, max_elements=MAX_ELEMENTS)
    except XmlError as error:
        raise IdUnusable(f"the ID cannot be used: {error}") from error
    # Canonical XML keeps processing instructions, which the parser passes over: with one, two readers would disagree.
    if contents.count(_INSTRUCTION) > bool(_DECLARATION.match(contents)):
        raise IdUnusable("the ID cannot be used: it has processing instructions")
    if root.tag != "ID" or root.get("version") != VERSION:
        raise IdUnusable("the ID cannot be used: it is no ID of version 1")
    return root


def _check_names(definition: Element) -> None:
    """Refuse names in namespaces: the tree has not kept their prefixes, which Canonical XML keeps.

    To write many namespaces anew takes the square of their number.
    """
    if any(name.startswith("{") for element in definition.iter() for name in (element.tag, *element.keys())):
        raise IdUnusable("the ID cannot be used: its definition has names in namespaces")


def _one(root: Element, tag: str) -> Element:
    found = root.findall(tag)
    if len(found) != 1:
        raise IdUnusable(f"the ID cannot be used: it has not exactly one {tag}")
    return found[0]


def _read_definition(element: Element) -> Definition:
    leaves = Leaves(element, "Definition")
    algorithm, public_key = _read_key(element)
    machines = element.find("Machines")
    return Definition(
        uid=_uid(element),
        name=element.get("name", ""),
        created=leaves.text("Created"),
        preset=leaves.text("Preset"),
        rules=_issued_rules(leaves),
        algorithm=algorithm,
        public_key=public_key,
        machines=tuple(
            machine for child in (() if machines is None else machines) for machine in read_configuration(child)
        ),
    )


def _issued_rules(leaves: Leaves) -> Rules:
    rules = read_rules(leaves)
    if rules.expiration_days is not None:
        raise InvalidRequest("ExpirationDays is a rule of presets")
    return rules


def _uid(element: Element) -> str:
    try:
        return str(uuid.UUID(element.get("id", "").strip()))
    except ValueError as error:
        raise IdUnusable("the ID cannot be used: its id is no UUID") from error


def _read_key(element: Element) -> tuple[str, bytes]:
    found = element.findall("Key")
    algorithm = found[0].get("algorithm", "") if len(found) == 1 else ""
    key = from_base64(found[0].text or "") if algorithm in ALGORITHMS else None
    if key is None or len(key) != ALGORITHMS[algorithm].public_length:
        raise IdUnusable("the ID cannot be used: it has no key of a known algorithm")
    return algorithm, key


def _read_wraps(element: Element) -> dict[str, bytes]:
    wraps: dict[str, bytes] = {}
    for child in element.findall("Wrap"):
        machine, wrapped = child.get("machine", ""), from_base64(child.text or "")
        if wrapped is None or machine in wraps:
            raise IdUnusable("the ID cannot be used: a wrap is no Base64, or one machine has two")
        wraps[machine] = wrapped
    return wraps
