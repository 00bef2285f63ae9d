"""Read the leaves of an XML document: texts, booleans, numbers and choices, each at most once (10)."""

import re
from collections.abc import Callable
from enum import StrEnum
from typing import Final, TypeVar
from xml.etree.ElementTree import Element

from sertainty_svc.errors import InvalidRequest

T = TypeVar("T")
D = TypeVar("D")
E = TypeVar("E", bound=StrEnum)

_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}
_WHOLE: Final = re.compile(r"-?[0-9]{1,18}", re.ASCII)
# A tag may be as long as a document.
_SHOWN: Final = 100
_DECIMAL: Final = re.compile(r"[0-9]{1,18}(\.[0-9]{1,18})?", re.ASCII)


class Leaves:
    """The children of one element, in any order; unknown ones are ignored.

    `path` names the element in the detail of InvalidRequest, which each method raises for a leaf of a wrong form, one
    that holds elements, and one that is given twice. White space around values other than texts is ignored.
    """

    def __init__(self, element: Element, path: str) -> None:
        self.path = path
        self._children: dict[str, list[Element]] = {}
        for child in element:
            self._children.setdefault(child.tag, []).append(child)

    def __contains__(self, tag: str) -> bool:
        """Whether there is such a child."""
        return tag in self._children

    @property
    def tags(self) -> frozenset[str]:
        """The tags of all children."""
        return frozenset(self._children)

    def text(self, tag: str, default: str = "") -> str:
        """Return a text as it is written; an empty one counts as missing."""
        child = self._one(tag)
        return default if child is None else self._content(child) or default

    def texts(self, tag: str) -> tuple[str, ...]:
        """Return the texts of a leaf that may be repeated, without empty ones."""
        return tuple(text for child in self.elements(tag) if (text := self._content(child)))

    def boolean(self, tag: str, *, default: bool) -> bool:
        """Return a boolean: `true`, `false`, `1` or `0`."""
        return self._read(tag, default, _BOOLEANS.get, "neither true nor false")

    def whole(self, tag: str, low: int, high: int, default: T) -> int | T:
        """Return a whole number from `low` to `high`."""

        def number(text: str) -> int | None:
            return value if _WHOLE.fullmatch(text) and low <= (value := int(text)) <= high else None

        return self._read(tag, default, number, f"no whole number from {low} to {high}")

    def decimal(self, tag: str, high: int, default: float) -> float:
        """Return a decimal number from 0 to `high`."""

        def number(text: str) -> float | None:
            return value if _DECIMAL.fullmatch(text) and (value := float(text)) <= high else None

        return self._read(tag, default, number, f"no number from 0 to {high}")

    def choice(self, tag: str, kind: type[E], default: E | None = None) -> E:
        """Return a member of an enumeration; without a default the leaf is required."""

        def member(text: str) -> E | None:
            return next((one for one in kind if one.value == text), None)

        found = self._read(tag, default, member, f"none of {', '.join(kind)}")
        if found is None:
            raise self.problem(tag, "missing")
        return found

    def inside(self, tag: str) -> "Leaves":
        """Return the leaves of a container; one that is missing has none."""
        child = self._one(tag)
        return Leaves(Element(tag) if child is None else child, f"{self.path}/{tag}")

    def elements(self, tag: str) -> list[Element]:
        """Return the children of that tag."""
        return self._children.get(tag, [])

    def problem(self, tag: str, is_what: str) -> InvalidRequest:
        """Return the error for a child, of which `is_what` says what it is; a long tag is cut."""
        shown = tag if len(tag) <= _SHOWN else f"{tag[:_SHOWN]}..."
        return InvalidRequest(f"{self.path}/{shown} is {is_what}")

    def _read(self, tag: str, default: D, convert: Callable[[str], T | None], is_what: str) -> T | D:
        child = self._one(tag)
        if child is None:
            return default
        value = convert(self._content(child).strip())
        if value is None:
            raise self.problem(tag, is_what)
        return value

    def _one(self, tag: str) -> Element | None:
        found = self.elements(tag)
        if len(found) > 1:
            raise self.problem(tag, "given twice")
        return found[0] if found else None

    def _content(self, child: Element) -> str:
        if len(child):
            raise self.problem(child.tag, "no leaf")
        return child.text or ""
