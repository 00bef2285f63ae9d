"""Ask for names by a pattern, in words that an index can answer.

A pattern's head is a range of names, its tail a range of their endings. Both databases could find the first by
themselves in a pattern that they know while they plan, which a parameter is not.
"""

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.sql.operators import custom_op

from filestore_svc.domain.wildcards import Pattern
from filestore_svc.store.tables import ENDING_LENGTH, ending

Conditions = list[sa.ColumnElement[bool]]

_LAST: Final = "\U0010ffff"


def matches(connection: sa.Connection, name: sa.ColumnElement[Any], pattern: Pattern) -> sa.ColumnElement[bool]:
    """Compare each name with a pattern."""
    if connection.dialect.name == "sqlite":
        return name.op("GLOB", is_comparison=True)(pattern.glob())
    return name.like(pattern.like(), escape="\\")


def few(connection: sa.Connection, name: sa.Column[Any], pattern: Pattern) -> Conditions:
    """Enter the index of names or of endings, whichever the pattern allows, to see little but what matches.

    Where the pattern has a tail, `name` has to be that of the table which has such an index.
    """
    if pattern.whole:
        return [name == pattern.head]
    head, tail = pattern.head, pattern.tail
    found = _ending(name, tail)
    compared = _apart(connection, name) if tail else name
    if head:
        found += _beginning(compared, head)
    if not pattern.plain or len(tail) > ENDING_LENGTH:
        return [*found, matches(connection, compared, pattern)]
    # In a name that is shorter than both together they would share what lies between.
    shared = [head + tail[size:] for size in range(1, min(len(head), len(tail)) + 1) if head.endswith(tail[:size])]
    return [*found, compared.not_in(shared)] if shared else found


def many(connection: sa.Connection, name: sa.Column[Any], pattern: Pattern, *, in_order: bool) -> Conditions:
    """Compare names on the way through an index that is read for its order: that of names, or of something else."""
    if not in_order:
        return [matches(connection, _apart(connection, name), pattern)]
    found = _beginning(name, pattern.head)
    alone = pattern.plain and not pattern.tail
    return found if alone else [*found, matches(connection, _apart(connection, name), pattern)]


def _beginning(name: sa.ColumnElement[Any], text: str) -> Conditions:
    end = _next(text)
    return ([name >= text] if text else []) + ([name < end] if end else [])


def _ending(name: sa.Column[Any], text: str) -> Conditions:
    backward = text[::-1]
    if len(text) < ENDING_LENGTH:
        return _beginning(ending(name), backward)
    return [ending(name) == backward[:ENDING_LENGTH]]


def _next(text: str) -> str:
    """Return the least text above all that begin with this one, an empty one where none is."""
    kept = text.rstrip(_LAST)
    if not kept:
        return ""
    point = ord(kept[-1]) + 1
    # Between these two lie halves of characters, which are none.
    return kept[:-1] + chr(0xE000 if point == 0xD800 else point)


def _apart(connection: sa.Connection, name: sa.Column[Any]) -> sa.ColumnElement[Any]:
    """Keep SQLite, which does not know how many names a condition leaves, from entering an index by this one."""
    if connection.dialect.name == "sqlite":
        return sa.UnaryExpression(name, operator=custom_op("+"), type_=name.type)
    return name
