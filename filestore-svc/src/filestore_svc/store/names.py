"""Turn a pattern into conditions that an index supports.

The literal head of a pattern is a range of names, its tail a range of their endings. The databases derive a range
from a pattern only while they plan a query, and then a parameter has no value yet.
"""

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.sql.operators import custom_op

from filestore_svc.domain.wildcards import Pattern
from filestore_svc.store.tables import ENDING_LENGTH, ending

Conditions = list[sa.ColumnElement[bool]]

_LAST: Final = "\U0010ffff"


def matches(connection: sa.Connection, name: sa.ColumnElement[Any], pattern: Pattern) -> sa.ColumnElement[bool]:
    """Return the condition that compares each name with a pattern."""
    if connection.dialect.name == "sqlite":
        return name.op("GLOB", is_comparison=True)(pattern.glob())
    return name.like(pattern.like(), escape="\\")


def for_few_matches(connection: sa.Connection, name: sa.Column[Any], pattern: Pattern) -> Conditions:
    """Return conditions for a pattern that matches few names: they use the index of names or that of endings.

    Where the pattern has a tail, `name` must be the column of the table that has an index of endings.
    """
    if pattern.whole:
        return [name == pattern.head]
    head, tail = pattern.head, pattern.tail
    found = _ending_with(name, tail)
    compared = _without_index(connection, name) if tail else name
    if head:
        found += _starting_with(compared, head)
    if not pattern.plain or len(tail) > ENDING_LENGTH:
        return [*found, matches(connection, compared, pattern)]
    # In a name that is shorter than head and tail together the two would overlap.
    shared = [head + tail[size:] for size in range(1, min(len(head), len(tail)) + 1) if head.endswith(tail[:size])]
    return [*found, compared.not_in(shared)] if shared else found


def for_many_matches(
    connection: sa.Connection, name: sa.Column[Any], pattern: Pattern, *, in_order: bool
) -> Conditions:
    """Return conditions for a pattern that matches many names, while an index is read for its order."""
    if not in_order:
        return [matches(connection, _without_index(connection, name), pattern)]
    found = _starting_with(name, pattern.head)
    alone = pattern.plain and not pattern.tail
    return found if alone else [*found, matches(connection, _without_index(connection, name), pattern)]


def _starting_with(name: sa.ColumnElement[Any], text: str) -> Conditions:
    end = _following(text)
    return ([name >= text] if text else []) + ([name < end] if end else [])


def _ending_with(name: sa.Column[Any], text: str) -> Conditions:
    backward = text[::-1]
    if len(text) < ENDING_LENGTH:
        return _starting_with(ending(name), backward)
    return [ending(name) == backward[:ENDING_LENGTH]]


def _following(text: str) -> str:
    """Return the least text above all texts that begin with this one, "" where there is none."""
    kept = text.rstrip(_LAST)
    if not kept:
        return ""
    point = ord(kept[-1]) + 1
    # The code points between the two are surrogates, which no text contains.
    return kept[:-1] + chr(0xE000 if point == 0xD800 else point)


def _without_index(connection: sa.Connection, name: sa.Column[Any]) -> sa.ColumnElement[Any]:
    """Keep SQLite from choosing an index for this condition: it does not know how few names match."""
    if connection.dialect.name == "sqlite":
        return sa.UnaryExpression(name, operator=custom_op("+"), type_=name.type)
    return name
