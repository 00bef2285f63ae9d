"""Walk through a definition and notice every part of it that nothing has read."""

from collections.abc import Iterator
from typing import Final, Self
from xml.etree.ElementTree import Element

# Attributes of the XML itself: they define nothing.
_MARKUP: Final = frozenset(("version", "schemaLocation", "noNamespaceSchemaLocation"))
_LONGEST: Final = 80


def one_line(text: str, most: int = _LONGEST) -> str:
    """Return a text of a definition as it can be shown in one line of a terminal, of so many characters at most."""
    line = " ".join(text.split())
    shown = "".join(each if each.isprintable() else "?" for each in line)
    return shown if len(shown) <= most else f"{shown[:most]}..."


def local(tag: str) -> str:
    """Return the name of an element or attribute without its namespace, of which there are several by version."""
    return tag.rpartition("}")[2]


class Node:
    """An element of a definition. `notes` collects, in words, what is not carried over; all nodes share it."""

    def __init__(self, element: Element, path: str, notes: list[str]) -> None:
        self.tag = local(element.tag)
        self.path = path
        self._element = element
        self._notes = notes
        self._attributes = {local(name): value.strip() for name, value in element.attrib.items()}
        self._read: set[str] = set()
        self._taken: dict[str, list[Self]] = {}

    @property
    def text(self) -> str:
        """The element's own text, without the blanks around it."""
        return (self._element.text or "").strip()

    def attribute(self, name: str) -> str:
        """Return an attribute, "" where there is none, and count it as read."""
        self._read.add(name)
        return self._attributes.get(name, "")

    def children(self, name: str) -> list[Self]:
        """Return the children of a name, and count them as read."""
        if name not in self._taken:
            found = [each for each in self._element if local(each.tag) == name]
            numbered = len(found) > 1
            self._taken[name] = [
                type(self)(each, f"{self.path}/{name}{f'[{number}]' if numbered else ''}", self._notes)
                for number, each in enumerate(found, 1)
            ]
        return self._taken[name]

    def child(self, name: str) -> Self | None:
        """Return the first child of a name; further ones are not carried over."""
        found = self.children(name)
        for more in found[1:]:
            more.refuse("only the first of them is")
        return found[0] if found else None

    def all_children(self) -> Iterator[Self]:
        """Yield all children in their order, and count them as read."""
        for name in dict.fromkeys(local(each.tag) for each in self._element):
            yield from self.children(name)

    def text_of(self, name: str) -> str:
        """Return the text of the first child of a name, "" where there is none."""
        found = self.child(name)
        return "" if found is None else found.text

    def ignore(self, *names: str) -> None:
        """Count children as read that say nothing of what the hub would do."""
        for name in names:
            for each in self.children(name):
                each.drop()

    def note(self, text: str) -> None:
        """Note in words what is not carried over."""
        self._notes.append(f"{self.path}: {text}")

    def refuse(self, reason: str) -> None:
        """Note that this element is not carried over, and look at nothing in it."""
        self.note(f"is not carried over: {reason}")
        self.drop()

    def drop(self) -> None:
        """Count everything in this element as read."""
        self._read.update(self._attributes)
        for each in self.all_children():
            each.drop()

    def finish(self) -> None:
        """Note each attribute and child, here and below, that nothing has read."""
        for name, value in self._attributes.items():
            if name not in self._read and name not in _MARKUP:
                self.note(f"the attribute {name}={one_line(value)!r} is not carried over")
        known = set(self._taken)
        for name in dict.fromkeys(local(each.tag) for each in self._element):
            if name not in known:
                self.note(f"the element {name} is not carried over")
        for children in self._taken.values():
            for each in children:
                each.finish()
