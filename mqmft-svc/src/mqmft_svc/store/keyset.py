"""Select pages of a list by the place of a row, without an offset."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa


def newest(
    connection: sa.Connection,
    query: sa.Select[Any],
    place: Sequence[sa.ColumnElement[Any]],
    *,
    after: Sequence[Any] | None = None,
    before: Sequence[Any] | None = None,
) -> list[Any]:
    """Return the rows of a limited query, newest first; with `after` or `before` those nearest to that place (40, 44).

    `place` are the columns of an index, by which the rows are ordered.
    """
    row = sa.tuple_(*place)
    if after is not None:
        later = query.where(sa.tuple_(*map(sa.literal, after)) < row)
        return list(reversed(connection.execute(later.order_by(*place)).all()))
    if before is not None:
        query = query.where(sa.tuple_(*map(sa.literal, before)) > row)
    return list(connection.execute(query.order_by(*(column.desc() for column in place))).all())
