"""Queries and writes that come all the time, without what SQLAlchemy does around each of them.

A statement is compiled once for its database. From then on a query is its text and a list of
values, for a connection that waits for such; a transaction, a visit to the pool and an object for
each row would cost more than the query itself. `write_all` writes many rows in a caller's
transaction, where every row would be looked at several times.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from queue import SimpleQueue
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.sql.compiler import SQLCompiler

#: with any columns
Select = sa.Select[*tuple[Any, ...]]
Query = Select | sa.CompoundSelect[*tuple[Any, ...]]
#: with parameters of any names
Write = sa.Insert | sa.Update | sa.Delete
Rows = Sequence[Sequence[Any]]
Parameters = Sequence[Any] | Mapping[str, Any]

#: of one process, beside those of the pool
MOST_CONNECTIONS = 8

_Convert = Callable[[Any], Any]


class Prepared:
    """A query in the words of one database. Lists are values one by one; see `one_of`."""

    def __init__(self, query: Query, dialect: sa.Dialect) -> None:
        compiled = query.compile(dialect=dialect)
        self.text = str(compiled)
        self._order = compiled.positiontup
        self._bind = _converters(compiled, dialect)
        self._read: list[tuple[int, _Convert]] = [
            (index, convert)
            for index, column in enumerate(query.selected_columns)
            if (convert := column.type.dialect_impl(dialect).result_processor(dialect, None))
        ]
        self._fixed = self._bound({name: bind.value for name, bind in compiled.binds.items()})

    def parameters(self, values: Mapping[str, Any]) -> Parameters:
        """Return the values of the query's parameters as the driver takes them."""
        given = {**self._fixed, **self._bound(values)}
        return given if self._order is None else [given[name] for name in self._order]

    def converted(self, found: Rows) -> Rows:
        """Return rows of the driver with values of Python's types."""
        if not self._read:
            return found
        rows = [list(row) for row in found]
        for index, convert in self._read:
            for row in rows:
                row[index] = convert(row[index])
        return rows

    def _bound(self, values: Mapping[str, Any]) -> dict[str, Any]:
        bind = self._bind
        return {
            name: bind[name](value) if name in bind else value for name, value in values.items()
        }


def write_all(connection: sa.Connection, write: Write, rows: Sequence[Mapping[str, Any]]) -> None:
    """Run a write that is a constant once for each row, of which there is at least one.

    Rows name the values of its parameters; an INSERT takes the columns that the rows have.
    """
    _writer(write, tuple(rows[0]), connection.dialect)(connection, rows)


@lru_cache
def _writer(
    write: Write, names: tuple[str, ...], dialect: sa.Dialect
) -> Callable[[sa.Connection, Sequence[Mapping[str, Any]]], None]:
    columns = names if isinstance(write, sa.Insert) else None
    compiled = write.compile(dialect=dialect, column_keys=columns)
    converters = _converters(compiled, dialect)
    order = [(name, converters.get(name)) for name in compiled.positiontup or names]

    def run(connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        values = [
            [convert(row[name]) if convert else row[name] for name, convert in order]
            for row in rows
        ]
        connection.exec_driver_sql(
            compiled.string,
            [tuple(one) for one in values]
            if dialect.positional
            else [dict(zip(names, one, strict=True)) for one in values],
        )

    return run


def _converters(compiled: SQLCompiler, dialect: sa.Dialect) -> dict[str, _Convert]:
    """Return what turns values of Python's types into those of the driver, by parameter."""
    return {
        name: convert
        for name, bind in compiled.binds.items()
        if (convert := bind.type.dialect_impl(dialect).bind_processor(dialect))
    }


class QueryReader:
    """Runs prepared queries, each one a transaction. Safe to use from several threads."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._error: type[Exception] = engine.dialect.loaded_dbapi.Error
        self._prepared: dict[Query, Prepared] = {}
        self._idle: list[PoolProxiedConnection] = []
        self._turns: SimpleQueue[None] = SimpleQueue()
        for _ in range(MOST_CONNECTIONS):
            self._turns.put(None)

    def rows(self, query: Query, values: Mapping[str, Any]) -> Rows:
        """Return what a query finds that is a constant. Raises the errors of the driver."""
        prepared = self._prepared.get(query)
        if prepared is None:
            prepared = self._prepared[query] = Prepared(query, self._engine.dialect)
        parameters = prepared.parameters(values)
        self._turns.get()
        try:
            return prepared.converted(self._found(prepared.text, parameters))
        finally:
            self._turns.put(None)

    def close(self) -> None:
        """Close every connection that waits."""
        with suppress(IndexError):
            while True:
                self._idle.pop().close()

    def _found(self, text: str, parameters: Parameters) -> Rows:
        try:
            connection = self._idle.pop()
        except IndexError:
            return self._fetch(self._connection(), text, parameters)
        try:
            return self._fetch(connection, text, parameters)
        except self._error:
            # the server may have been restarted since the connection was used
            self.close()
            return self._fetch(self._connection(), text, parameters)

    def _fetch(self, connection: PoolProxiedConnection, text: str, parameters: Parameters) -> Rows:
        try:
            cursor: DBAPICursor = connection.cursor()
            cursor.execute(text, parameters)
            found = cursor.fetchall()
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        return found

    def _connection(self) -> PoolProxiedConnection:
        connection = self._engine.raw_connection()
        connection.detach()
        assert connection.dbapi_connection is not None
        self._engine.dialect.set_isolation_level(connection.dbapi_connection, "AUTOCOMMIT")
        return connection


def one_of(column: sa.Column[str], count: int) -> sa.ColumnElement[bool]:
    """Whether a column has one of so many values; `each` has their names."""
    names = [f"{column.name}_{n}" for n in range(count)]
    return column.in_([sa.bindparam(n, type_=column.type) for n in names]) if names else sa.false()


def each(column: sa.Column[str], values: Iterable[str]) -> dict[str, str]:
    """Return the parameters of `one_of`."""
    return {f"{column.name}_{n}": value for n, value in enumerate(values)}
