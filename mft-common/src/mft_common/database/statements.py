"""Execute statements that are compiled once, at the speed of the driver.

SQLAlchemy's work around one execution takes ten times as long as SQLite takes to find a row, and a small upload is a
dozen statements. So the statements of the hot paths are written with SQLAlchemy, like all others, compiled for each
dialect at their first use, and passed to the driver with their values in order.
"""

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa

from mft_common.database.version_cache import VersionedCache

Values = Mapping[str, Any]
Row = Sequence[Any]


@dataclass(frozen=True, slots=True)
class ReadConnection:
    """A connection of the driver in autocommit, for reads that need no transaction."""

    driver_connection: Any
    dialect: sa.Dialect
    cache: VersionedCache = field(default_factory=VersionedCache)


Connection = sa.Connection | ReadConnection


@dataclass(frozen=True, slots=True)
class _Compiled:
    text: str
    arrange: Callable[[Values], Any]
    results: tuple[tuple[int, Callable[[Any], Any]], ...]


class Statement:
    """A statement with named parameters; `columns` are the columns that an insert is given.

    Errors of the drivers are raised as SQLAlchemy's. Rows are tuples, with the values that SQLAlchemy would return.
    """

    def __init__(self, clause: sa.Executable, columns: Sequence[str] | None = None) -> None:
        self._clause: Final[Any] = clause
        self._columns = None if columns is None else list(columns)
        self._compiled: dict[str, _Compiled] = {}

    def all(self, connection: Connection, values: Values) -> Sequence[Row]:
        """Return all rows."""
        compiled = self._compiled.get(connection.dialect.name) or self._compile(connection.dialect)
        try:
            found: list[Row] = _driver(connection).execute(compiled.text, compiled.arrange(values)).fetchall()
        except _errors(connection.dialect) as error:
            raise translated(connection.dialect, compiled.text, error) from error
        return [_converted(row, compiled.results) for row in found] if compiled.results else found

    def first(self, connection: Connection, values: Values) -> Row | None:
        """Return the first row, None where there is none."""
        compiled = self._compiled.get(connection.dialect.name) or self._compile(connection.dialect)
        try:
            row: Row | None = _driver(connection).execute(compiled.text, compiled.arrange(values)).fetchone()
        except _errors(connection.dialect) as error:
            raise translated(connection.dialect, compiled.text, error) from error
        return row if row is None or not compiled.results else _converted(row, compiled.results)

    def run(self, connection: Connection, values: Values) -> int:
        """Execute a change, and return the number of changed rows."""
        compiled = self._compiled.get(connection.dialect.name) or self._compile(connection.dialect)
        try:
            return int(_driver(connection).execute(compiled.text, compiled.arrange(values)).rowcount)
        except _errors(connection.dialect) as error:
            raise translated(connection.dialect, compiled.text, error) from error

    def run_many(self, connection: Connection, rows: Sequence[Values]) -> int:
        """Execute a change with each of `rows`, and return the number of changed rows in all."""
        if len(rows) == 1:
            return self.run(connection, rows[0])
        compiled = self._compiled.get(connection.dialect.name) or self._compile(connection.dialect)
        cursor = _driver(connection).cursor()
        try:
            cursor.executemany(compiled.text, [compiled.arrange(row) for row in rows])
            return int(cursor.rowcount)
        except _errors(connection.dialect) as error:
            raise translated(connection.dialect, compiled.text, error) from error
        finally:
            cursor.close()

    def _compile(self, dialect: sa.Dialect) -> _Compiled:
        made = self._clause.compile(dialect=dialect, column_keys=self._columns)
        constants = {name: bind.value for name, bind in made.binds.items() if not bind.required}
        processors = {
            name: processor
            for name, bind in made.binds.items()
            if (processor := bind.type.dialect_impl(dialect).bind_processor(dialect)) is not None
        }
        names = made.positiontup
        arrange = _by_name(constants) if names is None else _in_order(names, constants)
        if processors:
            arrange = _processed(arrange, constants, processors)
        results = tuple(
            (index, processor)
            for index, column in enumerate(_returned(self._clause))
            if (processor := column.type.dialect_impl(dialect).result_processor(dialect, None)) is not None
        )
        compiled = self._compiled[dialect.name] = _Compiled(str(made), arrange, results)
        return compiled


def _by_name(constants: Values) -> Callable[[Values], Any]:
    return (lambda values: {**constants, **values}) if constants else dict


def _processed(
    arrange: Callable[[Values], Any], constants: Values, processors: Mapping[str, Callable[[Any], Any]]
) -> Callable[[Values], Any]:
    """Return `arrange` with a conversion of the values whose types the driver does not accept."""

    def convert(values: Values) -> Any:
        given = {**constants, **values}
        return arrange(given | {name: processor(given[name]) for name, processor in processors.items()})

    return convert


def _in_order(names: Sequence[str], constants: Values) -> Callable[[Values], Any]:
    if not names:
        return lambda _values: ()
    if constants:
        return lambda values: tuple([values[name] if name in values else constants[name] for name in names])
    get = operator.itemgetter(*names)
    return get if len(names) > 1 else lambda values: (get(values),)


def _returned(clause: Any) -> Iterable[Any]:
    if isinstance(clause, sa.Select | sa.CompoundSelect):
        return clause.selected_columns
    return getattr(clause, "_returning", ())


def _converted(row: Row, results: Sequence[tuple[int, Callable[[Any], Any]]]) -> Row:
    values = list(row)
    for index, convert in results:
        values[index] = convert(values[index])
    return tuple(values)


def _driver(connection: Connection) -> Any:
    return (connection if isinstance(connection, ReadConnection) else connection.connection).driver_connection


def _errors(dialect: sa.Dialect) -> type[Exception]:
    driver: Any = dialect.loaded_dbapi
    errors: type[Exception] = driver.Error
    return errors


def translated(dialect: sa.Dialect, text: str, error: Exception) -> BaseException:
    """Return the error that SQLAlchemy would have raised for an error of the driver."""
    return sa.exc.DBAPIError.instance(text, None, error, _errors(dialect), hide_parameters=True, dialect=dialect)
